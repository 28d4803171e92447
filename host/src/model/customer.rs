//! Who a call or a message was with: the side that is not ours.

use super::call::Direction;
use super::{Call, Identity, Item, Message, Party, Phone};

/// The other side, as the record knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Customer<'a> {
    /// The number; absent when it is withheld, or when the channel has none.
    pub number: Option<&'a Phone>,
    /// The name that came along, or that a person wrote.
    pub name: Option<&'a str>,
    ids: &'a [Identity],
}

impl Call {
    /// The side that is not ours; absent for calls between the tenant's own people.
    pub fn customer(&self) -> Option<&Party> {
        let ours = |party: &Option<Party>| party.as_ref().is_some_and(|party| party.agent.is_some());
        match (self.direction, ours(&self.caller), ours(&self.callee)) {
            (Some(Direction::Internal), ..) | (None, true, true) => None,
            (Some(Direction::Outbound), ..) | (None, true, false) => self.callee.as_ref(),
            (Some(Direction::Inbound) | None, ..) => self.caller.as_ref(),
        }
    }
}

impl Message {
    fn customer(&self) -> Option<Customer<'_>> {
        let who = match self.direction {
            Some(Direction::Outbound) => self.recipient.as_ref(),
            Some(Direction::Internal) => None,
            Some(Direction::Inbound) | None => self.sender.as_ref(),
        }?;
        Some(Customer { number: who.number.as_ref(), name: who.name.as_deref(), ids: &who.ids })
    }
}

impl Item {
    /// Whom it was with, for calls and messages.
    pub fn customer(&self) -> Option<Customer<'_>> {
        match self {
            Item::Call(call) => {
                let party = call.customer()?;
                Some(Customer { number: party.number.as_ref(), name: party.name.as_deref(), ids: &[] })
            }
            Item::Message(message) => message.customer(),
            Item::Contact(_) | Item::Conversation(_) | Item::Session(_) => None,
        }
    }

    /// Whether this key is the digits of an E.164 number, and not only those that were written, for whom a call or a
    /// message was with and for a contact.
    pub fn knows_e164(&self, key: &str) -> bool {
        let is = |phone: &Phone| phone.e164.is_some() && phone.key().as_deref() == Some(key);
        match self {
            Item::Contact(contact) => contact.numbers.iter().any(is),
            // Ids of the scheme are E.164 by the contract.
            item => item.customer().is_some_and(|who| match who.number {
                Some(phone) if phone.key().is_some() => is(phone),
                _ => who.key().as_deref() == Some(key),
            }),
        }
    }
}

impl Customer<'_> {
    /// What all that was with the same number has in common, see [`Phone::key`].
    pub fn key(&self) -> Option<String> {
        let told = self.ids.iter().find(|id| id.scheme == "phone");
        self.number.and_then(Phone::key).or_else(|| Phone::raw(&told?.value).key())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Agent, Correspondent};
    use super::*;

    fn party(raw: &str) -> Option<Party> {
        Some(Party { number: Some(Phone::raw(raw)), ..Party::default() })
    }

    fn agent(extension: &str) -> Option<Party> {
        let agent = Agent { extension: Some(extension.to_owned()), ..Agent::default() };
        Some(Party { agent: Some(agent), ..party(extension).unwrap() })
    }

    fn of(direction: Option<Direction>, caller: Option<Party>, callee: Option<Party>) -> Option<String> {
        let call = Call { direction, caller, callee, ..Call::default() };
        Item::Call(call).customer().and_then(|customer| Some(customer.number?.raw.clone()))
    }

    #[test]
    fn the_side_that_is_not_ours() {
        use Direction::{Inbound, Internal, Outbound};
        let (theirs, ours) = ("+34600111222", "1001");
        let some = Some(theirs.to_owned());
        assert_eq!(of(Some(Inbound), party(theirs), party(ours)), some);
        assert_eq!(of(Some(Outbound), party(ours), party(theirs)), some);
        assert_eq!(of(Some(Internal), agent(ours), agent("1002")), None);
        assert_eq!(of(None, agent(ours), party(theirs)), some);
        assert_eq!(of(None, party(theirs), agent(ours)), some);
        assert_eq!(of(None, party(theirs), None), some);
        assert_eq!(of(None, agent(ours), agent("1002")), None);
    }

    #[test]
    fn somebody_on_a_channel_is_known_by_the_number_among_the_ids() {
        let id = |scheme: &str, value: &str| Identity { scheme: scheme.to_owned(), value: value.to_owned() };
        let ids = vec![id("lid", "123456789012345"), id("phone", "+34600111222")];
        let sender = Some(Correspondent { ids, ..Correspondent::default() });
        let message = Message { sender, ..Message::default() };
        assert_eq!(Item::Message(message).customer().and_then(|who| who.key()).as_deref(), Some("34600111222"));
    }
}
