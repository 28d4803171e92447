//! Calls that ring, and who is who: popups and the directory.

use crate::bench::{Bench, KNOWN, START, STRANGER, desk, finished, first, missed, next, number, repeated};
use cordboard_amocrm::Amocrm;
use cordboard_sdk::prelude::*;
use cordboard_sdk::serde_json::json;
use cordboard_tests::amocrm::{ANNA, BORIS, Fault};

fn ringing(desks: Vec<Desk>) -> Call {
    Call { phase: Some(CallPhase::Ringing), outcome: None, ended_at: None, desks, ..missed(KNOWN) }
}

fn phone(text: &str) -> Phone {
    Phone { raw: text.into(), e164: Some(text.into()), ..Phone::default() }
}

#[test]
fn a_ring_group_is_told_once_and_in_one_request() {
    let bench = Bench::with(json!({}));
    let change = first("a", ringing(vec![desk("101", START), desk("102", START), desk("999", START)]));
    let receipt = bench.one(&change);
    assert_eq!(
        bench.crm.world().popups,
        [json!({"type": "phone_call", "phone_number": KNOWN, "users": [ANNA, BORIS]})]
    );
    let again = next(change.clone(), &receipt, ringing(vec![desk("101", START), desk("102", START)]));
    assert!(bench.skipped(&again).contains("told"));
    assert_eq!(bench.crm.faults().log().len(), 1);
    // It ends: what was shown is remembered beside what is logged.
    let receipt = bench.one(&next(change, &receipt, finished(KNOWN)));
    assert_eq!(bench.crm.world().seen("a"), 1);
    assert!(!receipt.memo.is_empty());
}

#[test]
fn a_queue_tells_each_desk_when_it_begins_to_ring() {
    let bench = Bench::with(json!({}));
    let change = first("a", ringing(vec![desk("101", START)]));
    let receipt = bench.one(&change);
    let stopped = Desk { stopped_at: Some(START + 15_000), ..desk("101", START) };
    bench.one(&next(change, &receipt, ringing(vec![stopped, desk("102", START + 15_000)])));
    let users: Vec<_> = bench.crm.world().popups.iter().map(|popup| popup["users"].clone()).collect();
    assert_eq!(users, [json!([ANNA]), json!([BORIS])]);
}

#[test]
fn nobody_is_told_where_nobody_is_known() {
    let bench = Bench::with(json!({}));
    // Without users everybody would see it.
    bench.skipped(&first("a", ringing(vec![desk("999", START)])));
    let internal = Call { direction: Some(Direction::Internal), ..ringing(vec![desk("101", START)]) };
    bench.skipped(&first("c", internal));
    let outgoing = Call { direction: Some(Direction::Outbound), ..ringing(vec![desk("101", START)]) };
    bench.skipped(&first("d", outgoing));
    assert!(bench.crm.faults().log().is_empty());
    let bench = Bench::with(json!({"popup": false}));
    bench.skipped(&first("a", ringing(vec![desk("101", START)])));
    assert!(bench.crm.world().popups.is_empty());
}

#[test]
fn who_withholds_the_number_is_shown_by_a_word() {
    let bench = Bench::with(json!({"hidden": "скрыт"}));
    for (id, caller) in [("a", None), ("b", Some(Party::default())), ("c", Some(Party::number("anonymous")))] {
        bench.one(&first(id, Call { caller, ..ringing(vec![desk("101", START)]) }));
        let popups = bench.crm.world().popups.split_off(0);
        assert_eq!(popups, [json!({"type": "phone_call", "phone_number": "скрыт", "users": [ANNA]})], "{id}");
    }
    // An account that wants digits loses nothing by it: the call is logged when it is over.
    let refused = r#"{"title":"Bad Request","status":400,"detail":"Invalid event"}"#;
    bench.crm.faults().next("/api/v2/events", Fault::Says(400, refused.into()));
    let change = first("d", Call { caller: None, ..ringing(vec![desk("101", START)]) });
    assert!(bench.skipped(&change).contains("withholds"));
    bench.one(&first("d", Call { caller: None, ..missed(KNOWN) }));
    assert_eq!(bench.crm.world().seen("d"), 1);
}

#[test]
fn a_popup_that_fails_is_tried_again_by_the_hub() {
    let bench = Bench::with(json!({}));
    bench.crm.faults().next("/api/v2/events", Fault::Page(503));
    let change = first("a", ringing(vec![desk("101", START)]));
    assert_eq!(bench.fails(&change).word(), "retryable");
    bench.one(&change);
    assert_eq!(bench.crm.world().popups.len(), 1);
}

#[test]
fn people_are_found_by_their_own_numbers_alone() {
    let bench = Bench::with(json!({}));
    {
        let mut world = bench.crm.world();
        world.contact("Order 9990001122 of somebody else", "+7 495 000-00-00", BORIS);
        world.contact("No digits of it", "+49 999 000 11 23", BORIS);
    }
    for asked in [KNOWN, "+79990001122", "89990001122"] {
        let found = Amocrm::find(&bench.host, phone(asked)).unwrap();
        assert_eq!(found.len(), 1, "{asked}: {found:?}");
        assert_eq!((found[0].name.as_str(), found[0].kind.as_str()), ("Ivan", "contact"));
        assert_eq!(found[0].owner.as_deref(), Some(ANNA.to_string().as_str()));
        assert_eq!(found[0].url.as_deref().unwrap(), format!("{}/contacts/detail/{}", bench.crm.url(), bench.ivan));
    }
    assert_eq!(Amocrm::find(&bench.host, phone(STRANGER)).unwrap(), []);
    let asked = bench.crm.faults().log().into_iter().find(|logged| logged.what.contains("contacts")).unwrap();
    assert!(asked.query.contains(&("query".to_owned(), "9990001122".to_owned())), "{asked:?}");
    // Extensions and addresses are nobody's number, and are not asked for.
    let before = bench.crm.faults().log().len();
    for none in ["101", "sip:79990001122@pbx", ""] {
        assert_eq!(Amocrm::find(&bench.host, Phone::raw(none)).unwrap(), []);
    }
    assert_eq!(bench.crm.faults().log().len(), before);
}

#[test]
fn the_same_end_in_another_country_is_somebody_else() {
    let bench = Bench::with(json!({}));
    bench.crm.world().cards.clear();
    let jane = bench.crm.world().contact("Jane", "+1 999 000-11-22", BORIS);
    assert_eq!(Amocrm::find(&bench.host, phone(KNOWN)).unwrap(), []);
    // amoCRM itself compares ten digits: the call goes to her, and that is where it is looked for.
    bench.crm.faults().next("POST /api/v4/calls", Fault::Lost);
    let change = first("a", finished(KNOWN));
    assert_eq!(bench.fails(&change).word(), "retryable");
    bench.one(&repeated(&change));
    assert_eq!(bench.note("a")["entity_id"], jane);
    assert_eq!(bench.crm.faults().count("POST /api/v4/calls"), 1);
}

#[test]
fn the_newest_of_several_is_first_and_all_pages_are_read() {
    let bench = Bench::with(json!({}));
    let newest = {
        let mut world = bench.crm.world();
        for number in 0..260 {
            world.contact(&format!("9990001122 note {number}"), "+7 495 000-00-00", BORIS);
        }
        world.contact("Ivan the newer", KNOWN, BORIS)
    };
    let found = Amocrm::find(&bench.host, phone(KNOWN)).unwrap();
    let ids: Vec<&str> = found.iter().map(|one| one.external_id.as_str()).collect();
    assert_eq!(ids, [newest.to_string(), bench.ivan.to_string()]);
    assert_eq!(bench.crm.faults().count("GET /api/v4/contacts"), 2);
}

#[test]
fn a_caller_can_be_put_through_to_the_owner_of_the_lead() {
    let bench = Bench::with(json!({"owner_of": "lead"}));
    let owner = |bench: &Bench| Amocrm::find(&bench.host, phone(KNOWN)).unwrap()[0].owner.clone().unwrap();
    assert_eq!(owner(&bench), ANNA.to_string(), "without leads the contact's");
    let lead = bench.crm.world().lead("Roof", bench.ivan, BORIS);
    assert_eq!(owner(&bench), BORIS.to_string());
    bench.crm.world().lead("Floor", bench.ivan, BORIS);
    assert_eq!(owner(&bench), ANNA.to_string(), "two active ones: the contact's");
    bench.crm.world().cards.get_mut(&("leads", lead)).unwrap()["status_id"] = json!(143);
    assert_eq!(owner(&bench), BORIS.to_string(), "one of them is lost");
}

#[test]
fn leads_are_looked_at_for_the_first_match_alone() {
    let bench = Bench::with(json!({"owner_of": "lead"}));
    for n in 0..12 {
        let mut world = bench.crm.world();
        let contact = world.contact(&format!("Ivan {n}"), KNOWN, ANNA);
        world.lead("Roof", contact, BORIS);
    }
    let found = Amocrm::find(&bench.host, phone(KNOWN)).unwrap();
    let owners: Vec<u64> = found.iter().map(|one| one.owner.as_ref().unwrap().parse().unwrap()).collect();
    assert_eq!((owners.len(), &owners[..2]), (10, [BORIS, ANNA].as_slice()));
    assert_eq!(bench.crm.faults().count("GET /api/v4/leads/"), 1);
}

#[test]
fn a_company_answers_for_its_number() {
    let bench = Bench::with(json!({}));
    let fields = json!([{"field_code": "PHONE", "values": [{"value": "+7 999 555-66-77"}]}]);
    let company = json!({"id": 9, "name": "Roofs Ltd", "responsible_user_id": BORIS, "custom_fields_values": fields});
    bench.crm.world().cards.insert(("companies", 9), company);
    let found = Amocrm::find(&bench.host, phone(STRANGER)).unwrap();
    assert_eq!((found[0].kind.as_str(), found[0].name.as_str()), ("company", "Roofs Ltd"));
    assert!(found[0].url.as_deref().unwrap().ends_with("/companies/detail/9"));
    bench.one(&first("a", Call { caller: Some(number(STRANGER)), ..finished(KNOWN) }));
    assert_eq!(bench.note("a")["entity_type"], "companies");
}
