use super::*;
use insta::assert_snapshot;

/// A pipeline with a `person` transform, and these persons.
fn with(persons: &str) -> String {
    let text = GOOD.replace(
        "[transforms.mmol]\n",
        "[transforms.who]\ntype = \"person\"\ninputs = [\"meter\"]\n\n[transforms.mmol]\n",
    );
    text.replacen("inputs = [\"meter\"]\nto", "inputs = [\"who\"]\nto", 1) + "\n" + persons
}

/// Names with their serials.
fn persons(loaded: &Loaded) -> Vec<(&str, Vec<&str>)> {
    let persons = loaded.pipeline.persons.iter();
    persons
        .map(|one| {
            let serials = one.serials.iter().map(String::as_str).collect();
            (one.name.as_str(), serials)
        })
        .collect()
}

#[test]
fn persons_come_in_file_order_with_normalised_serials() {
    let text = with(
        "[persons.\"Zoë O'Brien\"]\nserials = [\"78 01-123 4567\", \"abc 1234\"]\n\
         [persons.anna]\nserials = []\n[persons.\"P.017\"]\nserials = ['X9']\n",
    );
    let loaded = load_with(&text, &[], &[]);
    assert_eq!(shown(&loaded), "");
    assert_eq!(
        persons(&loaded),
        [
            ("Zoë O'Brien", vec!["7801-1234567", "ABC1234"]),
            ("anna", vec![]),
            ("P.017", vec!["X9"]),
        ]
    );
}

#[test]
fn overrides_reach_names_with_capitals_and_blanks() {
    let text = with(
        "[persons.\"Anna Maria\"]\nserials = [\"1\"]\n[persons.Ben]\nserials = [\"2\"]\n\
         [persons.\"a.b=c\"]\nserials = []\n",
    );
    let variables = [
        ("GLUCOPIPE__PERSONS__ANNA_MARIA__SERIALS", "10 1, 102"),
        ("GLUCOPIPE__PERSONS__BEN__SERIALS", "200"),
    ];
    let loaded = load_with(
        &text,
        &variables,
        &[
            "persons.Ben.serials=[\"201\"]",
            "persons.\"a.b=c\".serials=300",
            "persons.new.serials=400",
        ],
    );
    assert_eq!(shown(&loaded), "");
    assert_eq!(
        persons(&loaded),
        [
            ("Anna Maria", vec!["101", "102"]),
            ("Ben", vec!["201"]),
            ("a.b=c", vec!["300"]),
            ("new", vec!["400"]),
        ]
    );
    let clash = load_with(&text, &variables, &["persons.Ben.serials=101"]);
    assert_snapshot!(shown(&clash));
}

#[test]
fn a_serial_is_claimed_by_two_persons() {
    assert_snapshot!(shown(&load_with(
        &with(
            "[persons.anna]\nserials = [\"78 01-1234567\"]\n\n[persons.ben]\nserials = [\n  \"9\",\n  \
             \"7801-1234567\",\n  \"7801-123 4567\",\n]\n"
        ),
        &[],
        &[]
    )));
}

#[test]
fn wrong_persons() {
    let texts = [
        "[persons.anna]\nserial = [\"7801-1234567\"]\n",
        "[persons.anna]\n",
        "[persons.anna]\nserials = \"7801-1234567\"\n",
        "[persons.anna]\nserials = [7801123, \"7801-1234567\", \"  \"]\n",
        "[persons.anna]\nserials = [\"7801-1234567\", \"7801-1234 567\"]\n",
        "[persons.anna]\nserials = []\nage = 5\n[persons.Anna]\nserials = []\n",
        "[persons.\" anna\"]\nserials = []\n[persons.\"\"]\nserials = []\n",
        "[persons]\nanna = [\"7801-1234567\"]\n",
        "[person.anna]\nserials = [\"7801-1234567\"]\n",
    ];
    let shown = texts.map(|text| shown(&load_with(&with(text), &[], &[])));
    for text in &shown {
        assert!(!text.contains("1234"), "a serial is shown: {text}");
    }
    assert_snapshot!(shown.join("====\n"));
}

#[test]
fn persons_and_transforms_that_do_not_fit() {
    let unused = GOOD.to_owned() + "[persons.anna]\nserials = [\"1\"]\n";
    let hidden = with("[persons.anna]\nserials = [\"1\"]\n")
        .replace("inputs = [\"meter\"]", "inputs = [\"hidden\"]")
        + "[transforms.hidden]\ntype = \"pseudonymise\"\ninputs = [\"first\"]\n\
           [transforms.first]\ntype = \"filter\"\ninputs = [\"meter\"]\n";
    let shown = [unused, with(""), hidden].map(|text| shown(&load_with(&text, &[], &[])));
    assert_snapshot!(shown.join("====\n"));
}
