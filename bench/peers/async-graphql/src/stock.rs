//! The stock of one concert, and its subscribers.
use std::sync::Arc;

use async_graphql::{ID, SimpleObject};
use futures_util::{Stream, StreamExt};
use tokio::sync::{broadcast, watch};
use tokio_stream::wrappers::BroadcastStream;

const FIRST_VERSION: i32 = 1_000_000;
const TIERS: [&str; 6] = ["t1", "t2", "t3", "t4", "t5", "t6"];

#[derive(SimpleObject)]
pub struct TierStock {
    tier_id: ID,
    available: i32,
    held: i32,
    sold: i32,
}

#[derive(SimpleObject)]
pub struct Stock {
    version: i32,
    sold_out: bool,
    tiers: Vec<TierStock>,
}

impl Stock {
    fn at(version: i32) -> Arc<Self> {
        let tier = |id: &&str| TierStock {
            tier_id: ID::from(*id),
            available: 9_000_000 - version,
            held: version,
            sold: version,
        };
        Arc::new(Self { version, sold_out: false, tiers: TIERS.iter().map(tier).collect() })
    }
}

pub struct StockHub {
    latest: watch::Sender<Arc<Stock>>,
    changes: broadcast::Sender<Arc<Stock>>,
}

impl StockHub {
    pub fn new() -> Self {
        Self {
            latest: watch::Sender::new(Stock::at(FIRST_VERSION)),
            changes: broadcast::Sender::new(64),
        }
    }

    pub fn advance(&self) -> i32 {
        let stock = Stock::at(self.latest.borrow().version + 1);
        let version = stock.version;
        self.latest.send_replace(stock.clone());
        let _ = self.changes.send(stock);
        version
    }

    /// Returns the current stock, and then every change.
    pub fn subscribe(&self) -> impl Stream<Item = Arc<Stock>> + use<> {
        let changes = BroadcastStream::new(self.changes.subscribe());
        let now = self.latest.borrow().clone();
        futures_util::stream::iter([now]).chain(changes.filter_map(|change| async { change.ok() }))
    }
}
