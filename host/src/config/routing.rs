//! `[routing]` of a tenant's file: where a dialplan that asks should send a caller.

use std::net::SocketAddr;

use super::claims;
use super::document::{Node, Place, Table};
use super::networks::Networks;
use super::secret::Secret;

/// Where a dialplan that asks should send a caller.
#[derive(Clone, Debug, PartialEq)]
pub struct Routing {
    /// Paths beside `/v1/route/{number}`, which ask for no login.
    pub paths: Vec<Question>,
    /// On a port of their own.
    pub listen: Option<SocketAddr>,
    /// From where those paths may be asked; from anywhere when empty.
    pub clients: Networks,
    /// What the parameter `key` of those paths must be, if anything.
    pub key: Option<Secret>,
    /// For callers whom nobody knows: an extension, a queue.
    pub unknown: Option<String>,
    /// When it is not known who should answer, or they cannot: extensions or queues, of which the first that can does.
    pub otherwise: Vec<String>,
    /// Whether somebody who is on the telephone already is passed over.
    pub skip_busy: bool,
    /// Whether somebody whose telephone is not registered is passed over.
    pub skip_unreachable: bool,
    /// Where it stands.
    pub place: Place,
}

/// A path, and the parameter in which the number stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Without the query.
    pub path: String,
    /// The parameter's name.
    pub parameter: String,
}

/// Longer texts are no extension.
const LONGEST: usize = 32;

impl Routing {
    /// Nothing but what can be pressed on a telephone: `&` would dial several, `/` choose a channel, `,` end an
    /// argument. Only such a text is ever given to a dialplan.
    pub fn can_be_dialled(extension: &str) -> bool {
        let pressed = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'*' | b'#' | b'+');
        (1..=LONGEST).contains(&extension.len()) && extension.bytes().all(pressed)
    }

    /// Reads the table `routing`.
    pub(super) fn read(tenant: &Table<'_>) -> Self {
        let mut routing = Routing {
            paths: Vec::new(),
            listen: None,
            clients: Networks::default(),
            key: None,
            unknown: None,
            otherwise: Vec::new(),
            skip_busy: false,
            skip_unreachable: true,
            place: tenant.place(),
        };
        let Some(table) = tenant.take("routing").and_then(|node| node.table()) else { return routing };
        routing.place = table.place();
        routing.listen = claims::listen(table.take("listen"));
        routing.clients = Networks::read(&table, "clients");
        let own_port = routing.listen.is_some();
        let paths = table.take("paths").map(|node| node.texts()).unwrap_or_default();
        routing.paths = paths.into_iter().filter_map(|(text, node)| question(text, &node, own_port)).collect();
        routing.key = table.take("key").and_then(|node| node.secret());
        routing.unknown = table.take("unknown").and_then(|node| Some(extension(node.text()?, &node)?.to_owned()));
        let otherwise = table.take("otherwise").map(|node| node.texts()).unwrap_or_default();
        let otherwise = otherwise.iter().filter_map(|(text, node)| extension(text, node));
        routing.otherwise = otherwise.map(str::to_owned).collect();
        let skips = |node: Node<'_>| node.word(&[("ring", false), ("skip", true)]);
        routing.skip_busy = table.take("busy").and_then(skips).unwrap_or(false);
        routing.skip_unreachable = table.take("unreachable").and_then(skips).unwrap_or(true);
        routing
    }
}

/// The text, if a dialplan can dial it.
fn extension<'t>(text: &'t str, node: &Node<'_>) -> Option<&'t str> {
    if !Routing::can_be_dialled(text) {
        let hint = "write the digits of an extension or a queue; `*`, `#` and `+` may be among them".to_owned();
        node.problem(format!("`{}` is `{text}`, which a dialplan cannot dial as it is", node.path), Some(hint));
        return None;
    }
    Some(text)
}

/// `/redirecting?phone={number}`.
fn question(text: &str, node: &Node<'_>, own_port: bool) -> Option<Question> {
    let parts = text.split_once('?').and_then(|(path, query)| {
        let parameter = query.strip_suffix("={number}")?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        (!parameter.is_empty() && parameter.chars().all(plain)).then_some((path, parameter))
    });
    let Some((path, parameter)) = parts else {
        let hint = "write the path and where the number stands: `/redirecting?phone={number}`".to_owned();
        node.problem(format!("`{text}` does not say where the number stands"), Some(hint));
        return None;
    };
    if let Err(why) = claims::check(path, own_port) {
        node.problem(format!("`{path}` {why}"), None);
        return None;
    }
    Some(Question { path: path.to_owned(), parameter: parameter.to_owned() })
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::path::Path;

    use super::super::document::Document;
    use super::super::tests::Safe;
    use super::*;

    /// What a tenant's file says, and what is wrong with it.
    fn read(text: &str) -> (Routing, Vec<String>) {
        let (keeper, problems) = (Safe::default(), RefCell::default());
        let document =
            Document { name: "acme.toml", text, keeper: &keeper, folder: Path::new("/"), problems: &problems };
        let routing = document.read(|tenant| Routing::read(&tenant));
        let problems = problems.take().iter().map(ToString::to_string).collect();
        (routing, problems)
    }

    #[test]
    fn who_cannot_take_a_call_is_passed_over_as_the_file_says() {
        let (without, none) = read("");
        assert_eq!((without.skip_busy, without.skip_unreachable, without.otherwise.len()), (false, true, 0));
        let (one, wrong) = read("[routing]\notherwise = \"601\"\nbusy = \"skip\"");
        assert_eq!((one.skip_busy, one.skip_unreachable, one.otherwise), (true, true, vec!["601".to_owned()]));
        let (several, odd) = read("[routing]\notherwise = [\"1002\", \"*601\"]\nunreachable = \"ring\"");
        assert_eq!((several.skip_unreachable, several.otherwise), (false, vec!["1002".to_owned(), "*601".to_owned()]));
        assert!(none.is_empty() && wrong.is_empty() && odd.is_empty(), "{none:?} {wrong:?} {odd:?}");
    }

    #[test]
    fn nothing_that_a_dialplan_would_take_for_more_than_digits_is_taken_in() {
        for key in ["unknown = ", "otherwise = ", "otherwise = [\"601\", ", "unreachable = "] {
            let end = if key.contains('[') { "]" } else { "" };
            for odd in ["601&602", "601,30,t", "PJSIP/601", "${X}", "", "6 01"] {
                let (routing, wrong) = read(&format!("[routing]\n{key}\"{odd}\"{end}"));
                assert_eq!(wrong.len(), 1, "{key}{odd}: {wrong:?}");
                let taken = routing.unknown.iter().chain(&routing.otherwise).all(|text| text == "601");
                assert!(taken && routing.skip_unreachable, "{key}{odd}");
            }
        }
    }
}
