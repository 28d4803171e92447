//! Where recordings are found, and how they are served.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Zoned;
use jiff::tz::TimeZone;

use super::document::{Node, Table};
use super::secret::Secret;
use super::suggest::suggestion;

/// How the hub serves recordings: `[recordings]` of `cordboard.toml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Serving {
    /// How long a link that works without logging in lasts.
    pub links: Duration,
    /// Bytes of converted and fetched files that are kept.
    pub cache: u64,
    /// The program that converts.
    pub ffmpeg: PathBuf,
    /// How many conversions run at once.
    pub conversions: usize,
    /// Where copies are made of what PBXs keep for a while only.
    pub copies: Option<Storage>,
}

/// Where copies of recordings are made: `[recordings.copies]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storage {
    /// Where.
    pub place: StoragePlace,
    /// For so long after a call its recordings are tried.
    pub within: Duration,
}

/// A storage of one's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoragePlace {
    /// A folder of this machine, or one that is mounted.
    Folder(PathBuf),
    /// A bucket of S3, or of what speaks like it.
    S3 {
        /// Its name.
        bucket: String,
        /// What the names of all copies begin with, without slashes around it.
        prefix: String,
        /// Where the bucket is, by the provider's word.
        region: String,
        /// The server, when it is not Amazon's.
        endpoint: Option<String>,
        /// Who asks.
        access_key: Secret,
        /// What proves it.
        secret_key: Secret,
    },
}

impl Default for Serving {
    fn default() -> Self {
        let links = Duration::from_secs(90 * 86_400);
        Serving { links, cache: 1 << 30, ffmpeg: PathBuf::from("ffmpeg"), conversions: 2, copies: None }
    }
}

impl Serving {
    pub(super) fn read(table: &Table<'_>) -> Self {
        let mut serving = Serving::default();
        let Some(table) = table.take("recordings").and_then(|node| node.table()) else { return serving };
        if let Some(node) = table.take("links") {
            match node.duration() {
                Some(links) if links < Duration::from_secs(3600) => {
                    let hint = Some("write a length of time like `90d`".to_owned());
                    node.problem("`recordings.links` is under an hour: a link in a CRM would hardly ever work", hint);
                }
                links => serving.links = links.unwrap_or(serving.links),
            }
        }
        if let Some(node) = table.take("cache") {
            match node.size() {
                Some(cache) if cache < 16 << 20 => {
                    node.problem("`recordings.cache` is under 16MiB: a long call would not fit in", None);
                }
                cache => serving.cache = cache.unwrap_or(serving.cache),
            }
        }
        if let Some(ffmpeg) = table.take("ffmpeg").and_then(|node| node.text()) {
            // A bare name is looked for where programs are.
            let is_path = ffmpeg.contains('/');
            serving.ffmpeg = if is_path { table.document.folder.join(ffmpeg) } else { PathBuf::from(ffmpeg) };
        }
        let conversions = table.take("conversions").and_then(|node| node.number(1..=64));
        serving.conversions = conversions.map_or(serving.conversions, |count| count as usize);
        serving.copies = table.take("copies").and_then(|node| node.table()).and_then(|table| Storage::read(&table));
        serving
    }
}

impl Storage {
    fn read(table: &Table<'_>) -> Option<Self> {
        let text = |key| table.take(key).and_then(|node| node.text()).map(str::to_owned);
        let secret = |node: Option<Node<'_>>| node.and_then(|node| node.secret());
        let within = match table.take("within") {
            Some(node) => node.duration(),
            None => Some(Duration::from_secs(7 * 86_400)),
        };
        let folder = text("folder").map(|folder| table.document.folder.join(folder));
        let place = match (folder, text("bucket")) {
            (Some(folder), None) => StoragePlace::Folder(folder),
            (None, Some(bucket)) => {
                let prefix = text("prefix").unwrap_or_default().trim_matches('/').to_owned();
                let region = text("region").unwrap_or_else(|| "us-east-1".to_owned());
                let endpoint = table.take("endpoint").and_then(|node| {
                    let endpoint = node.text()?;
                    if !endpoint.starts_with("https://") && !endpoint.starts_with("http://") {
                        let hint = Some("write `https://s3.example.com`, say".to_owned());
                        node.problem(format!("`{endpoint}` is not the address of a server"), hint);
                    }
                    Some(endpoint.to_owned())
                });
                let (access_key, secret_key) = (secret(table.need("access_key")), secret(table.need("secret_key")));
                let (access_key, secret_key) = (access_key?, secret_key?);
                StoragePlace::S3 { bucket, prefix, region, endpoint, access_key, secret_key }
            }
            _ => {
                let hint = "write either `folder = \"…\"` or `bucket = \"…\"`".to_owned();
                table.problem("`recordings.copies` must say where copies are made, in one place", Some(hint));
                return None;
            }
        };
        Some(Storage { place, within: within? })
    }
}

/// Where the recordings of a source are: `recordings` of a source.
#[derive(Clone, Debug, PartialEq)]
pub struct Archive {
    /// In which form.
    pub place: ArchivePlace,
    /// The zone in which the PBX names its folders.
    pub zone: TimeZone,
}

/// In which form recordings are there.
#[derive(Clone, Debug, PartialEq)]
pub enum ArchivePlace {
    /// Files below a folder of this machine.
    Folder {
        /// Nothing outside of it is ever served.
        root: PathBuf,
        /// The way from the folder to the file.
        path: Template,
        /// What the paths of the PBX begin with and those of this machine do not.
        strip: Option<String>,
    },
    /// Files behind a URL.
    Web(Template),
}

impl Archive {
    pub(super) fn read(table: &Table<'_>) -> Option<Self> {
        let node = table.take("recordings")?;
        let table = node.table()?;
        let zone = table.take("zone").and_then(|node| zone(&node)).unwrap_or(TimeZone::UTC);
        let (root, url) = (table.take("root"), table.take("url"));
        let (path, strip) = (table.take("path"), table.take("strip"));
        let place = match (root, url) {
            (Some(root), None) => {
                let strip = strip.and_then(|node| node.text()).map(str::to_owned);
                let or = if strip.is_some() { "{path}" } else { "{file}" };
                let path = match path {
                    Some(node) => template(&node)?,
                    None => Template::parse(or).ok()?,
                };
                ArchivePlace::Folder { root: table.document.folder.join(root.text()?), path, strip }
            }
            (None, Some(url)) => {
                for node in [path, strip].into_iter().flatten() {
                    node.problem(format!("`{}` belongs to a `root`, and here is a `url`", node.path), None);
                }
                let web = template(&url)?;
                let text = url.text()?;
                if text != "{url}" && !text.starts_with("http://") && !text.starts_with("https://") {
                    let hint =
                        "write `https://pbx.example.com/rec/{file}`, or `{url}` for the link that the source reports";
                    url.problem(format!("`{}` is not an address of the web", url.path), Some(hint.to_owned()));
                }
                ArchivePlace::Web(web)
            }
            (Some(_), Some(url)) => {
                url.problem("`recordings` has both a `root` and a `url`", Some("keep one of them".to_owned()));
                return None;
            }
            (None, None) => {
                let hint =
                    "add `root = \"/var/spool/asterisk/monitor\"` or `url = \"https://pbx.example.com/rec/{file}\"`";
                node.problem("`recordings` says neither `root` nor `url`", Some(hint.to_owned()));
                return None;
            }
        };
        Some(Archive { place, zone })
    }
}

pub(super) fn zone(node: &Node<'_>) -> Option<TimeZone> {
    let text = node.text()?;
    let zone = TimeZone::get(text).ok();
    if zone.is_none() {
        let hint =
            "write a name like `Europe/Madrid`; this machine's names are in /usr/share/zoneinfo (package tzdata)";
        node.problem(format!("`{text}` is no time zone that this machine knows"), Some(hint.to_owned()));
    }
    zone
}

fn template(node: &Node<'_>) -> Option<Template> {
    let text = node.text()?;
    match Template::parse(text) {
        Ok(template) => Some(template),
        Err((what, hint)) => {
            node.problem(format!("`{}`: {what}", node.path), hint);
            None
        }
    }
}

/// What a template may name.
const NAMES: [&str; 7] = ["file", "path", "id", "call", "uniqueid", "linkedid", "url"];

/// A text with names in braces, and dates as `strftime` writes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    /// With what `strftime` puts in.
    Text(String),
    /// One of [`NAMES`].
    Name(String),
}

impl Template {
    fn parse(text: &str) -> Result<Self, (String, Option<String>)> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, from)) = rest.split_once('{') {
            let Some((name, after)) = from.split_once('}') else {
                return Err((format!("`{{` without a `}}` in `{text}`"), None));
            };
            if !NAMES.contains(&name) {
                let hint = suggestion(name, NAMES.into_iter());
                return Err((format!("`{{{name}}}` is nothing that a recording has"), Some(hint)));
            }
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            pieces.push(Piece::Name(name.to_owned()));
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        let template = Template(pieces);
        let sample = Zoned::new(jiff::Timestamp::UNIX_EPOCH, TimeZone::UTC);
        template.fill(Some(&sample), |_| Some(String::new())).map(|_| template).map_err(|why| {
            (why, Some("write `%Y/%m/%d`, say, as `strftime` has it; `%%` for a percent sign".to_owned()))
        })
    }

    /// The text with everything put in. `at` is when the call began.
    pub fn fill(&self, at: Option<&Zoned>, value: impl Fn(&str) -> Option<String>) -> Result<String, String> {
        let mut filled = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) if !text.contains('%') => filled.push_str(text),
                Piece::Text(text) => {
                    let at = at.ok_or("it is not known when the call began")?;
                    let dated = jiff::fmt::strtime::format(text, at).map_err(|why| format!("`{text}`: {why}"))?;
                    filled.push_str(&dated);
                }
                Piece::Name(name) => {
                    filled.push_str(&value(name).ok_or_else(|| format!("the recording has no `{name}`"))?);
                }
            }
        }
        Ok(filled)
    }
}
