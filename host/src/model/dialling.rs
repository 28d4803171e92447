//! The numbering plans of the world: libphonenumber's metadata, read by rules of our own.
//!
//! Patterns are compiled when a number first needs them, and are kept.

use std::collections::HashMap;
use std::sync::{LazyLock, OnceLock};

use phonenumber::country;
use phonenumber::metadata::{DATABASE, Descriptor, Format, Metadata};
use regex::{Regex, RegexBuilder};

/// A number that the whole world can dial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Number {
    code: u16,
    /// What follows the country code, in digits.
    pub significant: String,
}

impl Number {
    /// From digits that begin with a country code.
    pub fn international(text: &str) -> Option<Self> {
        if !(7..=20).contains(&text.len()) || text.starts_with('0') || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let (code, plan, significant) = (1..=3).find_map(|length| {
            let code: u16 = text[..length].parse().ok()?;
            Some((code, plan(code)?, &text[length..]))
        })?;
        // "+44 0 20…": a trunk prefix that only callers at home dial.
        let bare = plan.trunk.and_then(|trunk| significant.strip_prefix(trunk));
        let bare = bare.filter(|bare| plan.takes(bare) && !(plan.takes(significant) && plan.knows(significant)));
        let significant = bare.unwrap_or(significant);
        plan.takes(significant).then(|| Number { code, significant: significant.to_owned() })
    }

    /// From digits as they are dialled in a region.
    pub fn of_region(digits: &str, region: country::Id) -> Option<Self> {
        let region = BY_WORD.get(region.as_ref())?;
        let plan = plan(region.meta.country_code())?;
        let abroad = region.abroad.get()?.find(digits).filter(|prefix| prefix.start() == 0);
        if let Some(number) = abroad.and_then(|prefix| Number::international(&digits[prefix.end()..])) {
            return Some(number);
        }
        let significant = region.without_trunk(digits);
        // Short ones are likelier extensions: only what the plan itself knows.
        if plan.takes(&significant) && (significant.len() >= 9 || plan.knows(&significant)) {
            return Some(Number { code: region.meta.country_code(), significant });
        }
        let code = region.meta.country_code().to_string();
        let rest = digits.strip_prefix(&code)?;
        let number = Number { code: region.meta.country_code(), significant: region.without_trunk(rest) };
        number.is_known().then_some(number)
    }

    /// With its plus sign.
    pub fn e164(&self) -> String {
        format!("+{}{}", self.code, self.significant)
    }

    /// Whether its country's plan has such a number, and not only such a length.
    pub fn is_known(&self) -> bool {
        plan(self.code).is_some_and(|plan| plan.takes(&self.significant) && plan.knows(&self.significant))
    }

    /// As it is written inside its own country.
    pub fn at_home(&self) -> String {
        let written = plan(self.code).and_then(|plan| {
            let format = plan.main().formats.iter().find(|format| format.fits(&self.significant))?;
            Some(format.write(&self.significant, plan.trunk))
        });
        written.unwrap_or_else(|| self.significant.clone())
    }

    /// As it is written for the world: "+44 20 7946 0000".
    pub fn abroad(&self) -> String {
        let written = plan(self.code).and_then(|plan| {
            let main = plan.main();
            let formats = if main.abroad_formats.is_empty() { &main.formats } else { &main.abroad_formats };
            let format = formats.iter().find(|format| format.fits(&self.significant))?;
            Some(format.write_abroad(&self.significant))
        });
        format!("+{} {}", self.code, written.as_ref().unwrap_or(&self.significant))
    }
}

/// What the regions of one country code have in common.
struct Plan {
    /// A bit for each length that a number may have after the code.
    lengths: u32,
    /// What callers at home put before it.
    trunk: Option<&'static str>,
    /// The regions, the main one first.
    regions: Vec<&'static Region>,
}

impl Plan {
    fn takes(&self, significant: &str) -> bool {
        significant.len() < 32 && self.lengths & (1 << significant.len()) != 0
    }

    fn knows(&self, significant: &str) -> bool {
        self.regions.iter().any(|region| region.kinds.iter().any(|kind| kind.matches(significant)))
    }

    fn main(&self) -> &'static Region {
        self.regions[0]
    }
}

/// One region of the metadata.
struct Region {
    meta: &'static Metadata,
    /// What callers dial to leave the region.
    abroad: Pattern,
    /// What callers dial before a number of the region itself.
    trunk: Option<Pattern>,
    general: Pattern,
    kinds: Vec<Pattern>,
    formats: Vec<Layout>,
    abroad_formats: Vec<Layout>,
}

impl Region {
    fn new(meta: &'static Metadata) -> Self {
        let kinds = kinds(meta).map(|kind| Pattern::whole(kind.national_number().as_str()));
        let trunk = meta.national_prefix_for_parsing().map(|pattern| pattern.as_str());
        Region {
            abroad: Pattern::start(meta.international_prefix().map_or("", |pattern| pattern.as_str())),
            trunk: trunk.or(meta.national_prefix()).map(Pattern::start),
            general: Pattern::whole(meta.descriptors().general().national_number().as_str()),
            kinds: kinds.collect(),
            formats: meta.formats().iter().map(Layout::new).collect(),
            abroad_formats: meta.international_formats().iter().map(Layout::new).collect(),
            meta,
        }
    }

    /// The digits without what callers at home put before them.
    fn without_trunk(&self, digits: &str) -> String {
        let bare = self.trunk.as_ref().and_then(|trunk| {
            let found = trunk.get()?.captures(digits)?;
            let whole = found.get(0)?;
            let last = found.len() > 1 && found.get(found.len() - 1).is_some();
            let rest = &digits[whole.end()..];
            match self.meta.national_prefix_transform_rule() {
                Some(rule) if last => {
                    let mut start = String::new();
                    found.expand(&braced(rule), &mut start);
                    Some(start + rest)
                }
                _ => Some(rest.to_owned()),
            }
        });
        // A number that is one as it stands stays so when stripping would break it.
        match bare {
            Some(bare) if self.general.matches(&bare) || !self.general.matches(digits) => bare,
            _ => digits.to_owned(),
        }
    }
}

/// What kinds of subscriber a region has: short codes and the like are none.
fn kinds(meta: &'static Metadata) -> impl Iterator<Item = &'static Descriptor> {
    let all = meta.descriptors();
    let kinds = [
        all.fixed_line(),
        all.mobile(),
        all.toll_free(),
        all.premium_rate(),
        all.shared_cost(),
        all.personal_number(),
        all.voip(),
        all.pager(),
        all.uan(),
        all.voicemail(),
    ];
    kinds.into_iter().flatten()
}

/// How numbers of one shape are written.
struct Layout {
    leading: Option<Pattern>,
    pattern: Pattern,
    abroad: String,
    home: String,
}

impl Layout {
    fn new(format: &'static Format) -> Self {
        // "$NP$FG" says how the trunk prefix and the first group stand together.
        let first = format.format().find('$').map(|at| &format.format()[at..at + 2]);
        let home = match (format.national_prefix(), first) {
            (Some(rule), Some(first)) => format.format().replacen(first, &rule.replace("$FG", first), 1),
            _ => format.format().to_owned(),
        };
        Layout {
            leading: format.leading_digits().last().map(|leading| Pattern::start(leading.as_str())),
            pattern: Pattern::whole(format.pattern().as_str()),
            abroad: braced(format.format()),
            home: braced(&home),
        }
    }

    fn fits(&self, significant: &str) -> bool {
        self.leading.as_ref().is_none_or(|leading| leading.matches(significant)) && self.pattern.matches(significant)
    }

    fn write(&self, significant: &str, trunk: Option<&str>) -> String {
        self.expand(significant, &self.home.replace("$NP", trunk.unwrap_or_default()))
    }

    fn write_abroad(&self, significant: &str) -> String {
        self.expand(significant, &self.abroad)
    }

    fn expand(&self, significant: &str, template: &str) -> String {
        let mut written = String::new();
        match self.pattern.get().and_then(|pattern| pattern.captures(significant)) {
            Some(groups) => groups.expand(template, &mut written),
            None => written.push_str(significant),
        }
        written
    }
}

/// `$1` as `${1}`: what follows must not be taken for a part of the name.
fn braced(template: &str) -> String {
    let mut braced = String::with_capacity(template.len() + 8);
    let mut marks = template.split('$');
    braced.push_str(marks.next().unwrap_or_default());
    for mark in marks {
        match mark.as_bytes().first() {
            Some(b'0'..=b'9') => {
                braced.push_str("${");
                braced.push_str(&mark[..1]);
                braced.push('}');
                braced.push_str(&mark[1..]);
            }
            _ => {
                braced.push('$');
                braced.push_str(mark);
            }
        }
    }
    braced
}

/// A pattern of the metadata, compiled when it is first needed.
struct Pattern {
    source: &'static str,
    whole: bool,
    compiled: OnceLock<Option<Regex>>,
}

impl Pattern {
    fn start(source: &'static str) -> Self {
        Pattern { source, whole: false, compiled: OnceLock::new() }
    }

    fn whole(source: &'static str) -> Self {
        Pattern { source, whole: true, compiled: OnceLock::new() }
    }

    fn get(&self) -> Option<&Regex> {
        let compile = || {
            let end = if self.whole { "$" } else { "" };
            let source = format!("^(?:{}\n){end}", self.source);
            RegexBuilder::new(&source).ignore_whitespace(true).unicode(false).build().ok()
        };
        self.compiled.get_or_init(compile).as_ref()
    }

    fn matches(&self, digits: &str) -> bool {
        self.get().is_some_and(|pattern| pattern.is_match(digits))
    }
}

static REGIONS: LazyLock<Vec<Region>> = LazyLock::new(|| {
    let codes = 1..=999u16;
    codes.flat_map(|code| DATABASE.by_code(&code).into_iter().flatten()).map(Region::new).collect()
});

/// By the word for the region.
static BY_WORD: LazyLock<HashMap<&'static str, &'static Region>> =
    LazyLock::new(|| REGIONS.iter().map(|region| (region.meta.id(), region)).collect());

/// By country code.
static PLANS: LazyLock<Vec<Option<Plan>>> = LazyLock::new(|| {
    let mut plans: Vec<Option<Plan>> = (0..1000).map(|_| None).collect();
    let mut regions: Vec<&'static Region> = REGIONS.iter().collect();
    regions.sort_by_key(|region| (!region.meta.is_main_country_for_code(), region.meta.id()));
    for region in regions {
        let Some(slot) = plans.get_mut(usize::from(region.meta.country_code())) else { continue };
        let plan =
            slot.get_or_insert_with(|| Plan { lengths: 0, trunk: region.meta.national_prefix(), regions: Vec::new() });
        for length in kinds(region.meta).flat_map(Descriptor::possible_length) {
            plan.lengths |= 1u32.checked_shl(u32::from(*length)).unwrap_or(0);
        }
        plan.regions.push(region);
    }
    plans
});

fn plan(code: u16) -> Option<&'static Plan> {
    PLANS.get(usize::from(code))?.as_ref()
}
