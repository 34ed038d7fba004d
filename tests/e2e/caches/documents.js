// The documents of a shop's page. Relay requires that their names begin with the name of their
// module, which is `shop` in the copy that build.mjs makes for it.

const REFUSAL = '... on DomainError { code message }';
const TIER = 'id version epoch name capacity available held sold price { minor currency }';
const STOCK = `stock { version epoch soldOut tiers { tierId available held sold tier { ${TIER} } } }`;
const ROOM = 'waitingRoom { version epoch status servingNumber waitingCount slotsTaken }';
const ENTRY = 'id version epoch state number position joinedAt endReason pass { status token }';
const HOLD = 'id version epoch state reason total { minor currency } lines { tierId quantity tier { id name } }';
const ORDER = 'id version epoch number status total { minor currency } lines { tierId quantity }';

export const documents = {
  shopPageQuery: `query shopPageQuery($id: ID!) {
    concert(by: { id: $id }) {
      id version epoch name tiers { ${TIER} } ${STOCK} ${ROOM} myHold { ${HOLD} } myQueueEntry { ${ENTRY} }
    }
    viewer { id name }
  }`,
  shopRoomQuery: `query shopRoomQuery($id: ID!) { concert(by: { id: $id }) { id version epoch ${ROOM} } }`,
  shopOrderQuery: `query shopOrderQuery($id: ID!) { order(id: $id) { ${ORDER} } }`,
  shopStateQuery: `query shopStateQuery($id: ID!) {
    concert(by: { id: $id }) { id version epoch tiers { ${TIER} } ${STOCK} ${ROOM} }
    queueEntry(concertId: $id) { ${ENTRY} }
    viewer { id holds { ${HOLD} } }
  }`,
  shopJoinMutation: `mutation shopJoinMutation($input: JoinQueueInput!) {
    joinQueue(input: $input) {
      __typename ${REFUSAL}
      ... on JoinQueueSuccess { entry { ${ENTRY} concert { id myQueueEntry { ${ENTRY} } } } }
    }
  }`,
  shopClaimMutation: `mutation shopClaimMutation($input: ClaimQueuePassInput!) {
    claimQueuePass(input: $input) {
      __typename ${REFUSAL}
      ... on ClaimQueuePassSuccess { entry { ${ENTRY} } }
    }
  }`,
  shopCallMutation: `mutation shopCallMutation($input: AdmitNextInput!) {
    admitNext(input: $input) {
      __typename ${REFUSAL}
      ... on AdmitNextSuccess { call { called } waitingRoom { version epoch concert { id ${ROOM} } } }
    }
  }`,
  shopHoldMutation: `mutation shopHoldMutation($input: HoldTicketsInput!) {
    holdTickets(input: $input) {
      __typename ${REFUSAL}
      ... on HoldTicketsSuccess { hold { ${HOLD} } concert { id tiers { ${TIER} } myHold { ${HOLD} } } }
    }
  }`,
  shopBuyMutation: `mutation shopBuyMutation($input: PurchaseTicketsInput!) {
    purchaseTickets(input: $input) {
      __typename ${REFUSAL}
      ... on PurchaseTicketsSuccess { order { ${ORDER} } hold { ${HOLD} } entry { ${ENTRY} } }
    }
  }`,
  shopStockSubscription: `subscription shopStockSubscription($id: ID!) {
    stockChanged(concertId: $id) { version epoch concert { id ${STOCK} } }
  }`,
  shopPositionSubscription: `subscription shopPositionSubscription($id: ID!) {
    queuePosition(concertId: $id) { version epoch roomStatus entry { ${ENTRY} concert { id ${STOCK} ${ROOM} } } }
  }`,
  shopHoldSubscription: `subscription shopHoldSubscription($id: ID!) { holdChanged(concertId: $id) { ${HOLD} } }`,
  shopOrderSubscription: `subscription shopOrderSubscription($id: ID!) { orderUpdated(orderId: $id) { ${ORDER} } }`,
  shopRoomSubscription: `subscription shopRoomSubscription($id: ID!) {
    waitingRoomChanged(concertId: $id) { version epoch concert { id ${ROOM} } }
  }`,
};
