use super::*;
use crate::render::render_json;
use proptest::prelude::*;

/// Renders everything that can be asked of a load.
fn exercise(text: &str, set: &str) {
    let mut loaded = load_with(text, &[("GLUCOPIPE__SINKS__SHEET__PATH", set)], &[set]);
    for kind in Component::ALL {
        let names: Vec<String> = loaded
            .pipeline
            .names(kind)
            .into_iter()
            .map(str::to_owned)
            .collect();
        for name in names {
            loaded.check_options(kind, &name, &schema());
            let _ = loaded.resolve(kind, &name);
            let _ = loaded.place(&name, &["path"]);
        }
    }
    for problem in loaded.problems() {
        let plain = render(problem, false);
        assert!(
            plain.ends_with('\n') && !plain.contains('\u{1b}'),
            "{plain:?}"
        );
        assert!(
            plain.starts_with("error[GP") || plain.starts_with("warning[GP"),
            "{plain}"
        );
        let _ = render(problem, true);
        let _ = render_json(problem);
    }
}

/// Pieces of pipelines in any order, so that more than syntax errors come out.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("[sources.meter]\n"),
        Just("[sinks.sheet]\n"),
        Just("[transforms.t]\n"),
        Just("[sinks]\n"),
        Just("exporter = \"csv\"\n"),
        Just("type = 'units'\n"),
        Just("inputs = [\"meter\", \"t\"]\n"),
        Just("inputs = \"t\"\n"),
        Just("type = 'person'\n"),
        Just("[persons.\"Z\u{301} 1\"]\n"),
        Just("serials = [\"Z 1\", '日本1234567', 12,\n"),
        Just("]\n"),
        Just("serials = \"7801-1234567\"\n"),
        Just("token = {"),
        Just("env = \"X\""),
        Just("}\n"),
        Just("token = 'abc'\n"),
        Just("path = \"日本"),
        Just("\"\n"),
        Just("timeout_secs = "),
        Just("-1\n"),
        Just("\u{feff}"),
        Just("\r\n"),
        Just("limits.retries = 1\n"),
        Just("limits = 2\n"),
        Just("\"a[99999999999]\" = 1\n"),
        Just("sinks = 3\n"),
        Just("\t"),
        Just("\u{1b}[0m\u{202e}"),
        Just("x = 1e999\n"),
        Just("a.b.c.d = [[[[1]]]]\n"),
        Just("'''"),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in any::<String>(), set in any::<String>()) {
        exercise(&text, &set);
    }

    #[test]
    fn no_mix_of_pieces_makes_it_panic(text in pieces(), set in "[a-z.=\\[\\]{}\"' 0-9]{0,24}") {
        exercise(&text, &set);
    }
}

#[test]
fn deep_nesting_and_long_lines_are_reported_not_fatal() {
    let keys = vec!["a"; 70].join(".");
    exercise(&format!("{keys} = {{ {keys} = 1 }}"), "");
    exercise(&format!("[sinks.sheet]\nx = {}", "[".repeat(100_000)), "");
    exercise(
        &format!(
            "[sinks.sheet]\nexporter = \"csv\"\nx = \"{}\" y",
            "é".repeat(50_000)
        ),
        "",
    );
    exercise(
        "\"a[999999999999]\" = 1\n[sinks.\"b[99999999]\"]\n",
        "sinks.a[99999999].x=1",
    );
}
