//! A source that is told of calls by a PBX's webhooks.
//!
//! A request is proved first, over its bytes as they came (`signature`); then its body becomes observations, either
//! straight (`native`) or by a mapping (`mapping`); both end in one place that knows the limits and the words
//! (`sighting`). Nothing is kept from one request to the next but the settings made ready.

mod body;
mod contract;
mod json;
mod mapping;
mod native;
mod pick;
mod refused;
mod settings;
mod sighting;
mod signature;
mod time;
mod words;
mod xml;

use std::cell::RefCell;
use std::rc::Rc;

use cordboard_sdk::prelude::*;
use cordboard_sdk::vocabulary::Incoming;

use mapping::Decoded;
use refused::Refused;
use settings::{Decoder, Plan, SCHEMA};

/// The component.
pub struct PbxWebhook;

impl About for PbxWebhook {
    fn describe() -> Descriptor {
        descriptor!("Calls from a PBX's signed webhooks", SCHEMA)
    }
}

impl Webhook for PbxWebhook {
    fn receive(host: &dyn Host, request: Incoming) -> Result<Accepted, Refusal> {
        let plan = plan(host);
        let plan = plan.as_ref().as_ref().map_err(|why| Refusal::Unauthenticated(format!("misconfigured: {why}")))?;
        if let Some(proof) = &plan.proof {
            proof.check(&request).map_err(Refusal::Unauthenticated)?;
        }
        let decoded = match &plan.decoder {
            Decoder::Native(rules) => {
                native::decode(&request.body, rules).map(|call| Decoded::Observations(vec![call]))
            }
            Decoder::Mapped(mappings) => {
                mappings.decode(request.header("content-type").unwrap_or_default(), &request.body)
            }
        };
        match decoded.map_err(|Refused { field, why }| Refusal::malformed(field, why))? {
            Decoded::Observations(observations) if observations.is_empty() => {
                Err(Refusal::Ignored("there is no call in it".into()))
            }
            Decoded::Observations(observations) => Ok(Accepted::observed(observations)),
            Decoded::Ignored(why) => Err(Refusal::Ignored(why)),
        }
    }
}

cordboard_sdk::export!(PbxWebhook: about, webhook);

type Ready = Rc<Result<Plan, String>>;

thread_local! {
    /// The settings that were made ready last.
    static READY: RefCell<Option<(String, Ready)>> = const { RefCell::new(None) };
}

/// The settings made ready. A component's settings never change while an instance lives; natively one thread may play
/// several.
fn plan(host: &dyn Host) -> Ready {
    READY.with_borrow_mut(|ready| {
        if let Some((settings, plan)) = ready
            && (cfg!(target_family = "wasm") || settings == host.settings())
        {
            return plan.clone();
        }
        let settings = host.settings().to_owned();
        let plan = Rc::new(Plan::new(&settings));
        match plan.as_ref() {
            Err(why) => host.error(format!("every request is refused: {why}")),
            Ok(plan) if plan.proof.is_none() => {
                host.warn("`unsigned = true`: whoever reaches this address can report calls");
            }
            Ok(_) => {}
        }
        *ready = Some((settings, plan.clone()));
        plan
    })
}
