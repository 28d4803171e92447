//! Whose call it is.

use cordboard_sdk::vocabulary::Agent;

use crate::known::{Known, User};
use crate::settings::Settings;

/// Who a call belongs to.
#[derive(Debug, Clone, PartialEq)]
pub struct Owner {
    /// The user or group.
    pub id: String,
    /// Set when it is the agent's own user, not the default.
    pub agent: bool,
}

impl Known {
    /// The owner of a call with this agent. What could not be used is said in `notes`.
    pub fn owner(&self, settings: &Settings, agent: Option<&Agent>, notes: &mut Vec<String>) -> Owner {
        if let Some(id) = agent.and_then(|agent| self.user_of(settings, agent, notes)) {
            return Owner { id, agent: true };
        }
        let default = settings.owner.as_deref().and_then(|owner| {
            let found = self.resolve(owner);
            if found.is_none() {
                notes.push(format!("owner: the default owner \"{owner}\" is not to be found in Vtiger"));
            }
            found
        });
        Owner { id: default.unwrap_or_else(|| self.user.clone()), agent: false }
    }

    fn user_of(&self, settings: &Settings, agent: &Agent, notes: &mut Vec<String>) -> Option<String> {
        if let Some(user) = &agent.user {
            match self.resolve(user) {
                Some(id) => return Some(id),
                None => notes.push(format!("owner: \"{user}\" of the agent table is no active user of Vtiger")),
            }
        }
        let extension = agent.extension.as_deref()?.trim();
        if let Some(user) = settings.owners.get(extension) {
            match self.resolve(user) {
                Some(id) => return Some(id),
                None => notes.push(format!("owner: \"{user}\" of the setting `owners` is no active user of Vtiger")),
            }
        }
        if !settings.owners_by_extension || extension.is_empty() {
            return None;
        }
        let users = self.users.as_deref().unwrap_or_default();
        let mut same = users.iter().filter(|user| user.active && user.extension == extension);
        let first = same.next()?;
        match same.next() {
            None => Some(first.id.clone()),
            Some(other) => {
                notes.push(format!(
                    "owner: the extension {extension} stands with both {} and {}; neither was taken",
                    first.name, other.name
                ));
                None
            }
        }
    }

    /// The id of the user or group that a text names: by id, by number, by name. Only those that Vtiger has confirmed.
    pub fn resolve(&self, text: &str) -> Option<String> {
        let text = text.trim();
        let Some(users) = &self.users else {
            // Users cannot be read: an id of the right form is tried, and the answer compared.
            let (prefix, number) = text.split_once('x')?;
            let own = self.user.split_once('x').map(|(prefix, _)| prefix);
            let group = self.groups.iter().any(|group| group.id == text);
            let tried = Some(prefix) == own && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
            return (group || tried).then(|| text.to_owned());
        };
        let number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let named = |user: &&User| {
            user.id == text
                || user.name.eq_ignore_ascii_case(text)
                || (number && user.id.split_once('x').is_some_and(|(_, own)| own == text))
        };
        let active = users.iter().filter(|user| user.active);
        // An id goes before a name, so that nobody takes over calls by calling themselves "19x1".
        let all: Vec<&User> = active.clone().chain(&self.groups).collect();
        all.iter()
            .find(|user| user.id == text)
            .or_else(|| all.iter().find(|user| named(user)))
            .map(|user| user.id.clone())
    }

    /// Whether the id is a user's, not a group's.
    pub fn is_user(&self, id: &str) -> bool {
        let prefix = |id: &str| id.split_once('x').map(|(prefix, _)| prefix.to_owned());
        prefix(id).is_some() && prefix(id) == prefix(&self.user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(id: &str, name: &str, extension: &str, active: bool) -> User {
        User { id: id.into(), name: name.into(), extension: extension.into(), active }
    }

    fn known() -> Known {
        Known {
            user: "19x7".into(),
            users: Some(vec![
                user("19x5", "agent1", "101", true),
                user("19x6", "agent2", "102", true),
                user("19x8", "gone", "103", false),
                user("19x9", "twin1", "104", true),
                user("19x10", "twin2", "104", true),
            ]),
            groups: vec![user("20x2", "Team Selling", "", true)],
            ..Known::default()
        }
    }

    fn owner(settings: &Settings, user: Option<&str>, extension: &str) -> (String, usize) {
        let agent = Agent { user: user.map(Into::into), extension: Some(extension.into()), name: None };
        let mut notes = Vec::new();
        let owner = known().owner(settings, Some(&agent), &mut notes);
        (owner.id, notes.len())
    }

    #[test]
    fn the_agent_table_comes_first() {
        let settings = Settings { owner: Some("Team Selling".into()), ..Settings::default() };
        assert_eq!(owner(&settings, Some("19x6"), "101"), ("19x6".into(), 0));
        assert_eq!(owner(&settings, Some("6"), "101"), ("19x6".into(), 0));
        assert_eq!(owner(&settings, Some("AGENT2"), "101"), ("19x6".into(), 0));
        assert_eq!(owner(&settings, None, "101"), ("19x5".into(), 0));
        assert_eq!(owner(&settings, Some("19x99"), "101"), ("19x5".into(), 1), "said, and the extension tried");
        assert_eq!(owner(&settings, Some("19x8"), "999"), ("20x2".into(), 1), "inactive");
        assert_eq!(owner(&settings, None, "103"), ("20x2".into(), 0), "inactive users have no extension");
        assert_eq!(owner(&settings, None, "104"), ("20x2".into(), 1), "ambiguous");
        let owners = [("101".to_owned(), "agent2".to_owned())].into();
        assert_eq!(owner(&Settings { owners, ..settings }, None, "101"), ("19x6".into(), 0));
    }

    #[test]
    fn nobody_is_the_integration_user() {
        assert_eq!(owner(&Settings::default(), None, "999"), ("19x7".into(), 0));
        let unreadable = Known { users: None, ..known() };
        assert_eq!(unreadable.resolve("19x5").as_deref(), Some("19x5"));
        assert_eq!(unreadable.resolve("agent1"), None);
        assert_eq!(unreadable.resolve("12x5"), None);
    }
}
