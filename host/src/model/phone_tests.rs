use super::*;

fn numbering(region: &str) -> Numbering {
    Numbering { region: region.parse().ok(), correct: Vec::new() }
}

fn forms(region: &str, raw: &str) -> (Option<String>, Option<String>) {
    let mut phone = Phone::raw(raw);
    numbering(region).normalize(&mut phone);
    assert_eq!(phone.raw, raw);
    (phone.e164, phone.national)
}

/// Region, raw text, E.164 and national form.
const NUMBERS: &[(&str, &str, &str, &str)] = &[
    ("ES", "911234567", "+34911234567", "911234567"),
    ("ES", "+34 911 23 45 67", "+34911234567", "911234567"),
    ("ES", "0034911234567", "+34911234567", "911234567"),
    ("ES", "00 34 911-234-567", "+34911234567", "911234567"),
    ("ES", "34911234567", "+34911234567", "911234567"),
    ("ES", "442079460000", "+442079460000", "02079460000"),
    ("ES", "+44 (0)20 7946 0000", "+442079460000", "02079460000"),
    ("ES", "+4402079460000", "+442079460000", "02079460000"),
    ("ES", "tel:+34-911-234-567", "+34911234567", "911234567"),
    ("ES", "sip:+442079460000@pbx.example;transport=tls", "+442079460000", "02079460000"),
    ("ES", "SIPS:0034911234567@10.0.0.1:5061", "+34911234567", "911234567"),
    ("ES", "\"Ana\" <sip:911234567@pbx.example>", "+34911234567", "911234567"),
    ("ES", "sip:%2B34911234567@pbx.example", "+34911234567", "911234567"),
    ("ES", "911 23 45 67 ext. 12", "+34911234567", "911234567"),
    ("ES", "+34911234567x12", "+34911234567", "911234567"),
    ("ES", "+34911234567;ext=12", "+34911234567", "911234567"),
    ("ES", "+34911234567,,12#", "+34911234567", "911234567"),
    ("ES", "\u{202A}+34 911 234 567\u{202C}", "+34911234567", "911234567"),
    ("ES", "+３４９１１２３４５６７", "+34911234567", "911234567"),
    ("ES", "٩١١٢٣٤٥٦٧", "+34911234567", "911234567"),
    ("GB", "020 7946 0000", "+442079460000", "02079460000"),
    ("GB", "07400 123456", "+447400123456", "07400123456"),
    ("GB", "+447400123456", "+447400123456", "07400123456"),
    ("US", "(202) 555-0123", "+12025550123", "2025550123"),
    ("US", "1-202-555-0123", "+12025550123", "2025550123"),
    ("US", "+12025550123", "+12025550123", "2025550123"),
    ("US", "011 44 20 7946 0000", "+442079460000", "02079460000"),
    ("US", "0044 20 7946 0000", "+442079460000", "02079460000"),
    ("US", "5551234567", "+15551234567", "5551234567"),
    ("DE", "030 123456", "+4930123456", "030123456"),
    ("DE", "+49 1512 3456789", "+4915123456789", "015123456789"),
    ("DE", "0151 23456789", "+4915123456789", "015123456789"),
    ("FR", "01 23 45 67 89", "+33123456789", "0123456789"),
    ("FR", "+33 6 12 34 56 78", "+33612345678", "0612345678"),
    ("IT", "06 1234 5678", "+390612345678", "0612345678"),
    ("IT", "+39 06 1234 5678", "+390612345678", "0612345678"),
    ("IT", "347 123 4567", "+393471234567", "3471234567"),
    ("RU", "8 (912) 345-67-89", "+79123456789", "89123456789"),
    ("RU", "+7 912 345-67-89", "+79123456789", "89123456789"),
    ("RU", "9123456789", "+79123456789", "89123456789"),
    ("RU", "8 800 555 35 35", "+78005553535", "88005553535"),
    ("RU", "+78005553535", "+78005553535", "88005553535"),
    ("KZ", "8 701 234 5678", "+77012345678", "87012345678"),
    ("IN", "098765 43210", "+919876543210", "09876543210"),
    ("IN", "+91 98765 43210", "+919876543210", "09876543210"),
    ("BR", "(11) 91234-5678", "+5511912345678", "11912345678"),
    ("MX", "55 1234 5678", "+525512345678", "5512345678"),
    ("AR", "+54 9 11 2345-6789", "+5491123456789", "0111523456789"),
    ("AU", "0412 345 678", "+61412345678", "0412345678"),
    ("JP", "03-1234-5678", "+81312345678", "0312345678"),
    ("PL", "512 345 678", "+48512345678", "512345678"),
    ("AD", "712345", "+376712345", "712345"),
    ("", "+34911234567", "+34911234567", "911234567"),
    ("", "0034911234567", "+34911234567", "911234567"),
    ("", "+800 1234 5678", "+80012345678", "12345678"),
];

#[test]
fn numbers_by_region() {
    for (region, raw, e164, national) in NUMBERS {
        let (got, home) = forms(region, raw);
        assert_eq!((got.as_deref(), home.as_deref()), (Some(*e164), Some(*national)), "{raw} in {region}");
    }
}

#[test]
fn what_is_no_number_stays_raw() {
    let longest = "9".repeat(200);
    let raws = [
        "1001",
        "200",
        "112",
        "911",
        "12345",
        "*98",
        "*72911234567",
        "#31#",
        "alice",
        "sip:alice@pbx.example",
        "PJSIP/1001",
        "+34",
        "+999123456789",
        "0034",
        "+34911",
        "00",
        "+",
        "",
        "911234567890123456",
        "+1800FLOWERS",
        "s",
        "<unknown>",
        "+0123456789",
        "12 34 56 x 7",
        "+34911234567 or +34911234568",
        "911234567 casa",
        "911234567 (+34911234568)",
        "911234567 (casa) (2)",
        "911234567 x123456789",
        "123456 (ext. 12)",
        "casa: 911234567",
        "https://911234567",
        "tel.",
        "tel. (casa)",
        "tel. (oficina 2ª) 911234567",
        "911234567 ext",
        "(casa)",
        "n/a",
        "x12",
        "\u{0}911234567",
        &longest,
    ];
    for raw in raws {
        assert_eq!(forms("ES", raw), (None, None), "{raw:?}");
    }
    for raw in ["911234567", "442079460000", "1001"] {
        assert_eq!(forms("", raw), (None, None), "{raw:?} without a region");
    }
}

#[test]
fn withheld() {
    for raw in
        ["anonymous", "Anonymous", "sip:anonymous@anonymous.invalid", "<unknown>", "", " ", "Restricted", "-", "+"]
    {
        assert!(Phone::raw(raw).is_withheld(), "{raw:?}");
    }
    for raw in ["1001", "*98", "#31#", "Private Line", "+34911234567"] {
        assert!(!Phone::raw(raw).is_withheld(), "{raw:?}");
    }
}

#[test]
fn corrector_rules_apply_in_order() {
    let rules = [("^9", ""), ("^00", "+"), ("^7(\\d{8})$", "+349$1")];
    let correct = rules.map(|(pattern, with)| (regex::Regex::new(pattern).unwrap(), with.to_owned()));
    let numbering = Numbering { region: "ES".parse().ok(), correct: correct.to_vec() };
    for (raw, e164) in
        [("9911234567", "+34911234567"), ("900442079460000", "+442079460000"), ("711234567", "+34911234567")]
    {
        let mut phone = Phone::raw(raw);
        numbering.normalize(&mut phone);
        assert_eq!((phone.e164.as_deref(), &*phone.raw), (Some(e164), raw));
    }
}

/// What people write before and after a number.
const BEFORE: &[&str] = &["", "tel.: ", "Tel ", "TLF. ", "Móvil: ", "тел.: ", "(casa) "];
const AFTER: &[&str] = &[
    "",
    " (casa)",
    " (tel. móvil)",
    "x12",
    " X 12",
    " p12",
    " ext 12",
    " Ext.: 12",
    " extension 12",
    " (ext. 12)",
    " int. 12",
    " доб 12",
    " доб. 12",
    " вн. 12",
    " ВНУТР. 12",
    " [доб.\u{A0}12]",
    " #12",
    " x12 (casa)",
    ",,12#",
];

#[test]
fn words_and_extensions_around_a_number_are_no_part_of_it() {
    for before in BEFORE {
        for after in AFTER {
            for (region, raw) in [("ES", "600 111 222"), ("RU", "+7 912 345-67-89"), ("GB", "(020) 7946 0000")] {
                assert_eq!(forms(region, &format!("{before}{raw}{after}")), forms(region, raw), "{before}{raw}{after}");
            }
        }
    }
    assert_eq!(Phone::raw("1001 (Ana)").key().as_deref(), Some("1001"));
}

#[test]
fn normalizing_again_changes_nothing() {
    for (region, raw, ..) in NUMBERS {
        let mut phone = Phone::raw(*raw);
        numbering(region).normalize(&mut phone);
        let once = phone.clone();
        numbering(region).normalize(&mut phone);
        assert_eq!(phone, once);
    }
}

#[test]
fn variants_are_few_and_likeliest_first() {
    let numbering = numbering("GB");
    let mut phone = Phone::raw("020 7946 0000");
    numbering.normalize(&mut phone);
    assert_eq!(
        numbering.variants(&phone),
        ["+442079460000", "442079460000", "02079460000", "2079460000", "+44 20 7946 0000", "020 7946 0000"]
    );
    assert_eq!(numbering.variants(&Phone::raw("1001")), ["1001"]);
    assert_eq!(numbering.variants(&Phone::raw(" ")), Vec::<String>::new());
    assert_eq!(numbering.variants(&Phone { e164: Some("+é12345678".into()), ..Phone::raw("alice") }), ["alice"]);
}

proptest::proptest! {
    #[test]
    fn plain_spellings_are_the_digits_in_them(raw in "[+]?[0-9][0-9 ./-]{0,40}") {
        assert_eq!(digits(&raw), Some((only_digits(&raw), raw.starts_with('+'))));
    }

    #[test]
    fn words_around_a_number_change_nothing(
        raw in "[+]?[0-9]{1,12}",
        before in 0..BEFORE.len(),
        after in 0..AFTER.len()
    ) {
        let decorated = format!("{}{raw}{}", BEFORE[before], AFTER[after]);
        let read = digits(user_part(&decorated));
        assert!(read.is_none() || read == digits(&raw), "{decorated}: {read:?}");
    }

    #[test]
    fn any_text_is_read_without_harm(
        raw in "\\PC{0,40}|[+0-9 ()x;,.#*:@<>-]{0,80}|(sip|tel):[+0-9]{0,30}|\
            (тел|tel)?[.: ]{0,2}[(]?\\PC{0,6}[)]?[0-9 ]{0,12}[ (]{0,2}(ext|доб|p|#)?\\PC{0,6}",
        region in 0usize..6
    ) {
        let numbering = numbering(["ES", "GB", "US", "DE", "RU", ""][region]);
        let mut phone = Phone::raw(raw);
        numbering.normalize(&mut phone);
        if let Some(e164) = &phone.e164 {
            let digits = e164.strip_prefix('+').unwrap();
            assert!((7..=20).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()), "{e164}");
            assert!(phone.national.as_ref().is_some_and(|national| national.bytes().all(|byte| byte.is_ascii_digit())));
        }
        let variants = numbering.variants(&phone);
        assert!(variants.len() <= VARIANTS);
        assert!(variants.iter().enumerate().all(|(at, one)| !variants[..at].contains(one)));
    }
}

#[test]
fn what_people_type_leads_to_one_key() {
    let numbering = Numbering { region: Some(country::Id::ES), correct: Vec::new() };
    for typed in [
        "600111222",
        "600 11 12 22",
        "600.111.222",
        "(600) 111-222",
        "+34600111222",
        "+34 600 111 222",
        "0034600111222",
        "tel:+34-600-111-222",
        "%2B34600111222",
        " 600111222 ",
    ] {
        let phone = numbering.typed(typed);
        assert_eq!(phone.key().as_deref(), Some("34600111222"), "{typed}");
        let keys = numbering.keys(&phone);
        assert_eq!(keys.first().map(String::as_str), Some("34600111222"), "{typed}");
        assert!(keys.iter().any(|key| key == "600111222"), "{typed}: a record that knows no region: {keys:?}");
    }
    assert_eq!(numbering.typed("1001").key().as_deref(), Some("1001"));
    for nobody in ["anonymous", "", "x", "sip:ana@pbx", "7"] {
        assert_eq!(numbering.typed(nobody).key(), None, "{nobody}");
    }
}
