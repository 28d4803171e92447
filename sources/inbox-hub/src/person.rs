//! One person as a set of ids, joined only where the provider has shown that two are one.

use cordboard_sdk::prelude::*;

use crate::address::Address;
use crate::fit::Odd;
use crate::key;

/// The ids of one person: at most one of each kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Person {
    phone: Option<String>,
    lid: Option<String>,
    user_id: Option<String>,
}

impl Person {
    /// Somebody by one address; nobody when that is no person's.
    pub fn of(address: &Address) -> Option<Self> {
        let mut person = Self::default();
        address.is_person().then(|| {
            person.also(address, &mut Odd::default());
            person
        })
    }

    /// A further id of the same person, as the provider has shown it. One that contradicts what is there is left out.
    pub fn also(&mut self, address: &Address, odd: &mut Odd) {
        let (place, id) = match address {
            Address::Phone { digits, .. } => (&mut self.phone, digits),
            Address::Lid(digits) => (&mut self.lid, digits),
            Address::UserId(id) => (&mut self.user_id, id),
            _ => return odd.note("id-is-no-person"),
        };
        match place {
            Some(known) if known != id => odd.note("two-ids-of-one-kind"),
            _ => *place = Some(id.clone()),
        }
        // Some cut `@lid` off and call the rest a number.
        if self.phone.is_some() && self.phone == self.lid {
            odd.note("lid-given-as-number");
            self.phone = None;
        }
    }

    /// The id that the contact is known by: the number's before the privacy id.
    pub fn main(&self) -> String {
        self.ids().next().unwrap_or_default()
    }

    /// The same number with its plus sign.
    pub fn number(&self) -> Option<String> {
        self.phone.as_ref().map(|digits| format!("+{digits}"))
    }

    /// Whether these digits, with or without a plus sign, are the person's privacy id.
    pub fn is_lid(&self, digits: &str) -> bool {
        self.lid.as_deref() == Some(digits.trim_start_matches('+'))
    }

    /// All ids as addresses, the main one first.
    fn ids(&self) -> impl Iterator<Item = String> {
        let phone = self.phone.as_ref().map(|digits| format!("{digits}@s.whatsapp.net"));
        let lid = self.lid.as_ref().map(|digits| format!("{digits}@lid"));
        [phone, lid, self.user_id.clone()].into_iter().flatten()
    }

    /// The ids beside the main one.
    pub fn aliases(&self) -> Vec<String> {
        self.ids().skip(1).collect()
    }

    /// All ids, with their schemes.
    pub fn identities(&self) -> Vec<Identity> {
        let identity = |scheme: &str, value: String| Identity { scheme: scheme.to_owned(), value };
        let phone = self.phone.iter().flat_map(|digits| {
            [identity("jid", format!("{digits}@s.whatsapp.net")), identity("phone", format!("+{digits}"))]
        });
        let lid = self.lid.iter().map(|digits| identity("lid", format!("{digits}@lid")));
        let user_id = self.user_id.iter().map(|id| identity("user-id", id.clone()));
        phone.chain(lid).chain(user_id).collect()
    }

    /// One end of a message.
    pub fn correspondent(&self, name: Option<String>) -> Correspondent {
        Correspondent { ids: self.identities(), number: self.number().map(Phone::raw), name, agent: None }
    }

    /// A sighting of this person by an account, with what else is known in `contact`.
    pub fn contact(&self, session: &str, contact: Contact, at: Option<Instant>) -> Observation {
        let numbers = self.number().map(Phone::raw).into_iter().collect();
        let contact = Contact { ids: self.identities(), numbers, ..contact };
        let also = self.aliases().iter().map(|alias| key::place(session, alias)).collect();
        Observation { also, at, ..Observation::of(key::place(session, &self.main()), contact) }
    }
}
