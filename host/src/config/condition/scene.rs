//! What an expression finds under each name: values are looked up when they are asked for, and borrowed.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use cel::common::types::{CelBool, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString};
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;
use cel::{Context, Env};

use crate::model::look::{Fields, Seen};
use crate::model::{Event, Item};

/// An event with its record, or a record alone.
pub(super) struct Scene<'a> {
    pub event: Option<&'a Event>,
    pub item: &'a Item,
}

static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

impl Scene<'_> {
    pub fn context(&self) -> Context<'_, '_> {
        let mut context = Context::with_env(Arc::clone(&ENVIRONMENT));
        context.set_variable_resolver(self);
        context
    }

    fn of_event(&self, field: &str) -> Option<Seen<'_>> {
        let event = self.event?;
        let text = |text| Seen::Text(Cow::Borrowed(text));
        Some(match field {
            "type" => text(&event.kind),
            "kind" => text(event.about.item.kind().word()),
            "source" => text(&event.about.subject.source),
            "id" => text(&event.about.subject.id),
            "tenant" => text(&event.tenant),
            "at" => Seen::Text(Cow::Owned(event.at.to_string())),
            "revision" => Seen::Number(i64::try_from(event.about.revision).unwrap_or(i64::MAX)),
            "changed" => Seen::List(event.about.changed.iter().map(|field| text(field)).collect()),
            _ => return None,
        })
    }
}

impl VariableResolver for Scene<'_> {
    /// Takes whole paths: `call.caller.number.e164` is one name.
    fn resolve<'b>(&'b self, name: &str) -> Option<CowVal<'b, 'b>> {
        let mut path = name.split('.');
        let root = path.next()?;
        if root == "event" {
            let (field, None) = (path.next()?, path.next()) else { return None };
            return self.of_event(field).map(|seen| CowVal::Owned(value(seen)));
        }
        (root == self.item.kind().word()).then(|| CowVal::Owned(value(self.item.at(path))))
    }
}

fn value(seen: Seen<'_>) -> Box<dyn Val + '_> {
    match seen {
        Seen::Absent => Box::new(CelNull),
        Seen::Flag(flag) => Box::new(CelBool::from(flag)),
        Seen::Number(number) => Box::new(CelInt::from(number)),
        Seen::Text(text) => Box::new(CelString::from(text)),
        Seen::Thing(thing) => Box::new(CelMap::from(entries(thing))),
        Seen::Pair(_, text) => Box::new(CelString::from(text)),
        Seen::List(seen) if matches!(seen.first(), Some(Seen::Pair(..))) => {
            let pairs = seen.into_iter().filter_map(|pair| match pair {
                Seen::Pair(name, text) => {
                    Some((CelMapKey::from(name), Box::new(CelString::from(text)) as Box<dyn Val>))
                }
                _ => None,
            });
            Box::new(CelMap::from(pairs.collect::<HashMap<_, _>>()))
        }
        Seen::List(seen) => Box::new(CelList::from(seen.into_iter().map(value).collect::<Vec<_>>())),
    }
}

fn entries(thing: &dyn Fields) -> HashMap<CelMapKey<'_>, Box<dyn Val + '_>> {
    thing.fields().iter().map(|(name, _)| (CelMapKey::from(*name), value(thing.field(name)))).collect()
}
