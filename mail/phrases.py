"""The sentences of the mails, in each language. Braces name values that are filled in."""

from dataclasses import dataclass

from domain.mails.mail import MailKind
from domain.payments.payment import RefundReason
from domain.text.locales import Locale


@dataclass(frozen=True, slots=True)
class Phrases:
    subjects: dict[MailKind, str]
    greeting: str
    thanks_with_documents: str
    thanks: str
    total: str
    order_number: str
    at_the_door: str
    refunded: str
    refund_reasons: dict[RefundReason, str]
    renewed: str
    renewed_documents: str
    see_tickets: str
    moved: str
    still_valid: str
    new_documents: str
    may_return: str
    canceled: str
    money_back: str
    offer: str
    how_to_accept: str
    link_ends: str
    utc: str


_ENGLISH = Phrases(
    subjects={
        MailKind.CONFIRMATION: "Your tickets for {concert}",
        MailKind.REFUND: "Refund for your order {number}",
        MailKind.TRANSFER: "A ticket for {concert} is waiting for you",
        MailKind.RENEWED: "New tickets for {concert}",
        MailKind.MOVED: "New date or venue: {concert}",
        MailKind.CANCELED: "Canceled: {concert}",
    },
    greeting="Hello {name},",
    thanks_with_documents="Thank you for your order. Your tickets are attached.",
    thanks="Thank you for your order. Sign in at {site} to see your tickets.",
    total="Total: {amount}",
    order_number="Order number: {number}",
    at_the_door="At the door, show the code of each ticket, on paper or on your phone. It admits one person"
    " once, so do not share it.",
    refunded="We have returned {amount} to the card with which you paid. Your bank may need a few days to show it.",
    refund_reasons={
        RefundReason.REQUESTED: "The refunded tickets are no longer valid:",
        RefundReason.CONCERT_CANCELLED: "The reason: {concert} was canceled.",
        RefundReason.HOLD_EXPIRED: "Your payment arrived after its deadline, when the tickets had been sold to others.",
        RefundReason.ORDER_CANCELLED: "Your payment arrived after the order had been canceled.",
        RefundReason.DISPUTE_LOST: "Your bank has returned the rest of the amount to you, so the tickets are no longer"
        " valid.",
        RefundReason.SECOND_PAYMENT: "You paid for this order twice.",
        RefundReason.MISMATCH: "Your payment did not match the amount of the order, so the order was closed. "
        "You can buy the tickets again.",
    },
    renewed="Your tickets for {concert} were not valid while a bank was deciding about their payment. Now they are"
    " valid again, with new codes. Tickets that you have printed or saved before no longer open the door.",
    renewed_documents="Your new tickets are attached.",
    see_tickets="Sign in at {site} to see your new tickets.",
    moved="The date or the venue of {concert} has changed. The concert now takes place:",
    still_valid="Your tickets remain valid; you do not need to do anything.",
    new_documents="The attached tickets and calendar entry show the change.",
    may_return="If you cannot come, you can return your tickets until {until}. To do so, sign in at {site}.",
    canceled=(
        "We are sorry: the organizer has canceled {concert}, which was planned for {when} at "
        "{venue}. Your tickets are no longer valid."
    ),
    money_back=(
        "You will get your money back on the card with which you paid. You do not need to do "
        "anything; we will write to you again when the money has been sent."
    ),
    offer="{holder} would like to pass a ticket on to you:",
    how_to_accept="To accept it, open this link and sign in with the email address at which you received it:",
    link_ends="The link works once, until {until}. If you do not know the sender, ignore this message.",
    utc="{when} UTC",
)

_GERMAN = Phrases(
    subjects={
        MailKind.CONFIRMATION: "Ihre Tickets für {concert}",
        MailKind.REFUND: "Erstattung zu Ihrer Bestellung {number}",
        MailKind.TRANSFER: "Ein Ticket für {concert} wartet auf Sie",
        MailKind.RENEWED: "Neue Tickets für {concert}",
        MailKind.MOVED: "Neuer Termin oder Ort: {concert}",
        MailKind.CANCELED: "Abgesagt: {concert}",
    },
    greeting="Guten Tag {name},",
    thanks_with_documents="vielen Dank für Ihre Bestellung. Ihre Tickets sind angehängt.",
    thanks="vielen Dank für Ihre Bestellung. Melden Sie sich unter {site} an, um Ihre Tickets zu sehen.",
    total="Gesamtbetrag: {amount}",
    order_number="Bestellnummer: {number}",
    at_the_door="Zeigen Sie am Einlass den Code jedes Tickets auf Papier oder auf dem Telefon. Er lässt eine Person"
    " einmal ein; geben Sie ihn nicht weiter.",
    refunded="wir haben {amount} auf die Karte zurückgezahlt, mit der Sie bezahlt haben. Bis Ihre Bank die Zahlung"
    " anzeigt, können einige Tage vergehen.",
    refund_reasons={
        RefundReason.REQUESTED: "Die erstatteten Tickets sind nicht mehr gültig:",
        RefundReason.CONCERT_CANCELLED: "Der Grund: {concert} wurde abgesagt.",
        RefundReason.HOLD_EXPIRED: "Ihre Zahlung kam nach Ablauf der Frist an, als die Tickets bereits an andere"
        " verkauft waren.",
        RefundReason.ORDER_CANCELLED: "Ihre Zahlung kam an, nachdem die Bestellung storniert worden war.",
        RefundReason.DISPUTE_LOST: "Ihre Bank hat Ihnen den übrigen Betrag zurückgegeben, deshalb sind die Tickets"
        " nicht mehr gültig.",
        RefundReason.SECOND_PAYMENT: "Sie hatten diese Bestellung zweimal bezahlt.",
        RefundReason.MISMATCH: "Ihre Zahlung wich vom Betrag der Bestellung ab, deshalb wurde die Bestellung"
        " geschlossen. Sie können die Tickets erneut kaufen.",
    },
    renewed="Ihre Tickets für {concert} waren nicht gültig, solange eine Bank über die Zahlung entschied. Nun sind"
    " sie wieder gültig und haben neue Codes. Früher gedruckte oder gespeicherte Tickets gelten am Einlass nicht mehr.",
    renewed_documents="Ihre neuen Tickets sind angehängt.",
    see_tickets="Melden Sie sich unter {site} an, um Ihre neuen Tickets zu sehen.",
    moved="der Termin oder der Ort von {concert} hat sich geändert. Das Konzert findet nun statt:",
    still_valid="Ihre Tickets bleiben gültig; Sie müssen nichts tun.",
    new_documents="Die angehängten Tickets und der Kalendereintrag zeigen die Änderung.",
    may_return="Wenn Sie nicht kommen können, können Sie Ihre Tickets bis {until} zurückgeben. Melden Sie sich dazu"
    " unter {site} an.",
    canceled="es tut uns leid: Der Veranstalter hat {concert} abgesagt, geplant für {when}, {venue}. Ihre Tickets"
    " sind nicht mehr gültig.",
    money_back="Sie erhalten Ihr Geld auf die Karte zurück, mit der Sie bezahlt haben. Sie müssen nichts tun; wir"
    " schreiben Ihnen noch einmal, sobald es gesendet wurde.",
    offer="{holder} möchte Ihnen ein Ticket weitergeben:",
    how_to_accept="Um es anzunehmen, öffnen Sie diesen Link und melden Sie sich mit der E-Mail-Adresse an, an die"
    " er geschickt wurde:",
    link_ends="Der Link gilt einmal, bis {until}. Wenn Sie den Absender nicht kennen, ignorieren Sie diese Nachricht.",
    utc="{when} UTC",
)

PHRASES = {Locale.EN: _ENGLISH, Locale.DE: _GERMAN}
