//! `[routing]` of a tenant's file: where a dialplan that asks should send a caller.

use std::net::SocketAddr;

use super::claims;
use super::document::{Node, Place, Table};
use super::secret::Secret;

/// Where a dialplan that asks should send a caller.
#[derive(Clone, Debug, PartialEq)]
pub struct Routing {
    /// Paths beside `/v1/route/{number}`, which ask for no login.
    pub paths: Vec<Question>,
    /// On a port of their own.
    pub listen: Option<SocketAddr>,
    /// What the parameter `key` of those paths must be, if anything.
    pub key: Option<Secret>,
    /// For callers whom nobody knows: an extension, a queue.
    pub unknown: Option<String>,
    /// When it is known who should answer, or should be, and they cannot: no extension, in doubt, busy.
    pub otherwise: Option<String>,
    /// Whether somebody who is on the telephone already is passed over.
    pub skip_busy: bool,
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
            key: None,
            unknown: None,
            otherwise: None,
            skip_busy: false,
            place: tenant.place(),
        };
        let Some(table) = tenant.take("routing").and_then(|node| node.table()) else { return routing };
        routing.place = table.place();
        routing.listen = claims::listen(table.take("listen"));
        let own_port = routing.listen.is_some();
        let paths = table.take("paths").map(|node| node.texts()).unwrap_or_default();
        routing.paths = paths.into_iter().filter_map(|(text, node)| question(text, &node, own_port)).collect();
        routing.key = table.take("key").and_then(|node| node.secret());
        routing.unknown = extension(table.take("unknown"));
        routing.otherwise = extension(table.take("otherwise"));
        let busy = table.take("busy").and_then(|node| node.word(&[("ring", false), ("skip", true)]));
        routing.skip_busy = busy.unwrap_or(false);
        routing
    }
}

fn extension(node: Option<Node<'_>>) -> Option<String> {
    let node = node?;
    let text = node.text()?;
    if !Routing::can_be_dialled(text) {
        let hint = "write the digits of an extension or a queue; `*`, `#` and `+` may be among them".to_owned();
        node.problem(format!("`{}` is `{text}`, which a dialplan cannot dial as it is", node.path), Some(hint));
        return None;
    }
    Some(text.to_owned())
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
