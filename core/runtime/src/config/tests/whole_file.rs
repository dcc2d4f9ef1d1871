use super::*;
use crate::problem::{Place, Severity};
use insta::assert_snapshot;

#[test]
fn reads_a_good_pipeline_in_file_order() {
    let text = "[sources.zeta]\ndevice = \"serial:1\"\nregion = \"eu\"\n[sources.alpha]\ndriver = \"contour\"\ntimeout_secs = 5\n\
        [sinks.s]\nexporter = \"csv\"\ninputs = [\"zeta\", \"alpha\"]\nz = 1\na = { x = [1.5, true] }\n\
        [journal]\npath = \"j.db\"\n[plugins]\npath = [\"/opt/meters\"]\n";
    let loaded = load_with(
        text,
        &[("GLUCOPIPE_PLUGIN_PATH", "/x"), ("HOME", "/home/me")],
        &[],
    );
    assert_eq!(shown(&loaded), "");
    let pipeline = &loaded.pipeline;
    assert_eq!(pipeline.name, "pipeline");
    assert_eq!(pipeline.names(Component::Driver), ["zeta", "alpha"]);
    assert_eq!(
        (
            pipeline.sources[0].driver.as_str(),
            pipeline.sources[0].timeout_secs
        ),
        ("auto", 600)
    );
    assert_eq!(
        (
            pipeline.sources[1].driver.as_str(),
            pipeline.sources[1].timeout_secs
        ),
        ("contour", 5)
    );
    assert_eq!(pipeline.sources[0].device.as_deref(), Some("serial:1"));
    assert_eq!(
        json!(pipeline.sources[0].options),
        json!({ "region": "eu" })
    );
    assert_eq!(
        json!(pipeline.sinks[0].options).to_string(),
        r#"{"z":1,"a":{"x":[1.5,true]}}"#
    );
    assert_eq!(pipeline.sinks[0].inputs, ["zeta", "alpha"]);
    assert_eq!(
        pipeline.journal.as_ref().unwrap().path.as_deref(),
        Some("j.db".as_ref())
    );
    assert_eq!(
        pipeline.plugins.path,
        [std::path::PathBuf::from("/opt/meters")]
    );
}

#[test]
fn set_goes_over_the_environment_and_that_over_the_file() {
    let variable = ("GLUCOPIPE__SINKS__SHEET__PATH", "env.csv");
    let path = |loaded: &Loaded| loaded.pipeline.sinks[0].options["path"].clone();
    assert_eq!(path(&load_with(GOOD, &[variable], &[])), "env.csv");
    let both = load_with(
        GOOD,
        &[variable],
        &["sinks.sheet.path=a.csv", "sinks.sheet.path=\"b.csv\""],
    );
    assert_eq!(shown(&both), "");
    assert_eq!(
        both.place("sheet", &["path"]).to_string(),
        "`--set sinks.sheet.path`"
    );
    let loaded = load_with(GOOD, &[variable], &[]);
    assert_eq!(
        loaded.place("sheet", &["path"]).to_string(),
        "environment variable `GLUCOPIPE__SINKS__SHEET__PATH`"
    );
    assert_eq!(
        loaded.place("mmol", &["to"]).to_string(),
        "pipeline.toml:6:6"
    );
    assert_eq!(
        loaded.place("mmol", &["no", "such"]).to_string(),
        "pipeline.toml:3:13"
    );
    assert_eq!(loaded.place("nobody", &[]).to_string(), "pipeline.toml");
}

#[test]
fn a_variable_means_the_one_name_that_reads_like_it() {
    let text = GOOD
        .replace("meter", "my-meter")
        .replace("mmol]", "to-mmol]")
        .replace("\"mmol\"", "\"to-mmol\"")
        .replace("sheet", "my-sheet");
    let variables = [
        ("GLUCOPIPE__SOURCES__MY_METER__DRIVER", "contour"),
        ("GLUCOPIPE__TRANSFORMS__TO_MMOL__TYPE", "filter"),
        ("GLUCOPIPE__SINKS__MY_SHEET__TIMEOUT_SECS", "20"),
    ];
    let loaded = load_with(&text, &variables, &[]);
    assert_eq!(shown(&loaded), "");
    let pipeline = &loaded.pipeline;
    assert_eq!(pipeline.sources[0].driver, "contour");
    assert_eq!(pipeline.transforms[0].kind, "filter");
    assert_eq!(pipeline.sinks[0].timeout_secs, 20);

    // A name that is written like that is the one that is meant.
    let two = text + "[sinks.my_sheet]\nexporter = \"csv\"\ninputs = [\"to-mmol\"]\n";
    let loaded = load_with(&two, &variables, &[]);
    assert_eq!(shown(&loaded), "");
    let seconds = loaded.pipeline.sinks.iter().map(|sink| sink.timeout_secs);
    assert_eq!(seconds.collect::<Vec<_>>(), [600, 20]);
}

#[test]
fn overrides_get_the_type_that_is_expected() {
    let loaded = load_with(
        GOOD,
        &[
            ("GLUCOPIPE__SINKS__SHEET__TIMEOUT_SECS", "20"),
            ("GLUCOPIPE__JOURNAL__PATH", "true"),
        ],
        &[
            "sinks.sheet.inputs=meter, mmol",
            "sources.meter.driver=12",
            "sinks.new={exporter=\"csv\", inputs=[\"mmol\"], path=\"x\"}",
        ],
    );
    assert_eq!(shown(&loaded), "");
    let sink = &loaded.pipeline.sinks[0];
    assert_eq!(
        (sink.timeout_secs, sink.inputs.join("+")),
        (20, "meter+mmol".to_owned())
    );
    assert_eq!(loaded.pipeline.sources[0].driver, "12");
    assert_eq!(loaded.pipeline.sinks[1].name, "new");
    let journal = loaded.pipeline.journal.as_ref().unwrap();
    assert_eq!(journal.path.as_deref(), Some("true".as_ref()));
}

#[test]
fn typo_in_a_common_key() {
    let text = GOOD
        .replace("exporter", "exportr")
        .replacen("inputs", "input", 1);
    assert_snapshot!(shown(&load_with(&text, &[], &[])));
}

#[test]
fn key_of_another_table() {
    let text = GOOD.replace("exporter =", "type =");
    assert_snapshot!(shown(&load_with(
        &format!("timezone = \"UTC\"\ninputs = []\n{text}"),
        &[],
        &[]
    )));
}

#[test]
fn misspelt_tables() {
    let text = GOOD.replace("[sources", "[source") + "\n[journal]\nfile = \"x\"\n[plugin]\n";
    assert_snapshot!(shown(&load_with(&text, &[], &[])));
}

#[test]
fn wrong_type_of_a_common_key() {
    let text = "[sources]\nmeter = 3\n[sources.other]\ntimeout_secs = \"10m\"\ndriver = 5\n\
        [sinks.sheet]\nexporter = true\ninputs = \"other\"\ntimeout_secs = 0\n[plugins]\npath = [\"rel\", 1]\n";
    assert_snapshot!(shown(&load_with(text, &[], &[])));
}

#[test]
fn where_plugins_run() {
    use crate::config::{Isolate, Runtime};

    let text = "[sources.a]\nruntime = \"process\"\n[transforms.t]\ntype = \"x\"\ninputs = [\"a\"]\n\
        runtime = \"in-process\"\n[sinks.s]\nexporter = \"csv\"\ninputs = [\"t\"]\n[plugins]\nisolate = \"none\"\nlocked = true\n";
    let loaded = load_with(text, &[], &["sinks.s.runtime=process"]);
    assert_eq!(shown(&loaded), "");
    let pipeline = &loaded.pipeline;
    assert_eq!(pipeline.plugins.isolate, Isolate::None);
    assert!(pipeline.plugins.locked);
    assert_eq!(pipeline.sources[0].runtime, Some(Runtime::Process));
    assert_eq!(pipeline.transforms[0].runtime, Some(Runtime::InProcess));
    assert_eq!(pipeline.sinks[0].runtime, Some(Runtime::Process));
    let unsaid = load_with(GOOD, &[], &[]).pipeline.plugins;
    assert_eq!(
        (unsaid.isolate, unsaid.locked),
        (Isolate::ThirdParty, false)
    );
    let variable = ("GLUCOPIPE__PLUGINS__LOCKED", "true");
    assert!(load_with(GOOD, &[variable], &[]).pipeline.plugins.locked);
    // What is no answer is not taken for a no.
    let unclear = load_with(GOOD, &[], &["plugins.locked=yes"]);
    assert!(unclear.pipeline.plugins.locked);
    assert_eq!(
        unclear.problems()[0].title,
        "`locked` of [plugins]: expected `true` or `false`, got text"
    );
}

#[test]
fn wrong_words_for_where_plugins_run() {
    let text = "[sources.a]\nruntime = \"proces\"\n[sources.b]\nruntimes = \"process\"\n\
        [sinks.s]\nexporter = \"csv\"\ninputs = [\"a\", \"b\"]\nruntime = 5\n\
        [plugins]\nisolate = \"everything\"\nisolated = 1\n";
    assert_snapshot!(shown(&load_with(text, &[], &["sinks.s.runtime=child"])));
}

#[test]
fn wrong_type_from_outside() {
    let variables = [("GLUCOPIPE__SINKS__SHEET__TIMEOUT_SECS", "ten")];
    assert_snapshot!(shown(&load_with(
        GOOD,
        &variables,
        &["sources.meter.timeout_secs=1.5", "sinks.sheet=1"]
    )));
}

#[test]
fn overrides_that_cannot_be_applied() {
    let variables = [
        ("GLUCOPIPE__SINKS__SHET__PATH", "x"),
        ("GLUCOPIPE__", "x"),
        ("GLUCOPIPE__SINK__A__B", "x"),
    ];
    assert_snapshot!(shown(&load_with(
        GOOD,
        &variables,
        &["sinks.sheet.path", "a..b=1"]
    )));
}

#[test]
fn unknown_inputs() {
    let text = GOOD.replace("[\"mmol\"]", "[\"mmoll\", \"qqqqqqqq\", \"more\"]")
        + "[sinks.more]\nexporter = \"csv\"\ninputs = [\"mmol\"]\n";
    assert_snapshot!(shown(&load_with(&text, &[], &[])));
}

#[test]
fn circle_of_transforms() {
    let text = GOOD.replace("inputs = [\"meter\"]", "inputs = [\"meter\", \"b\"]")
        + "[transforms.b]\ntype = \"filter\"\ninputs = [\"c\"]\n[transforms.c]\ntype = \"filter\"\ninputs = [\"mmol\"]\n\
           [transforms.self]\ntype = \"filter\"\ninputs = [\"self\"]\n";
    assert_snapshot!(shown(&load_with(&text, &[], &[])));
}

#[test]
fn missing_keys() {
    let text = "[sources.meter]\n[transforms.t]\n[sinks.s]\nexporter = \"csv\"\ninputs = []\n";
    assert_snapshot!(shown(&load_with(text, &[], &[])));
}

#[test]
fn names_used_twice_and_bad_names() {
    let text = "[sources.meter]\n[sinks.meter]\nexporter = \"csv\"\ninputs = [\"meter\"]\n\
        [sinks.\"My Sheet\"]\nexporter = \"csv\"\ninputs = [\"meter\"]\n[sinks.a__b]\nexporter = \"csv\"\ninputs = [\"meter\"]\n";
    assert_snapshot!(shown(&load_with(text, &[], &[])));
}

#[test]
fn parts_that_are_not_used() {
    let text = GOOD.replace("[\"mmol\"]", "[\"meter\", \"meter\", \"meter\"]");
    let loaded = load_with(&text, &[], &[]);
    assert!(!loaded.has_errors());
    assert!(
        loaded
            .problems()
            .iter()
            .all(|problem| problem.severity == Severity::Warning)
    );
    assert_eq!(loaded.pipeline.sinks[0].inputs, ["meter"]);
    assert_snapshot!(shown(&loaded));
}

#[test]
fn empty_files() {
    assert_snapshot!(shown(&load_with("", &[], &[])));
    assert_eq!(
        shown(&load_with("\n# nothing\n", &[], &[])),
        shown(&load_with("", &[], &[]))
    );
    let titles = |text: &str| {
        let loaded = load_with(text, &[], &[]);
        loaded
            .problems()
            .iter()
            .map(|problem| problem.title.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(titles("[sources.a]\n"), ["the pipeline has no sink"]);
    let sink = "[sinks.a]\nexporter = \"csv\"\ninputs = [\"meter\"]\n";
    assert_eq!(titles(sink).len(), 2);
    assert_eq!(titles(&format!("[sources]\nmeter = 3\n{sink}")).len(), 1);
    assert_eq!(titles(&format!("sources = 3\n{sink}")).len(), 1);
    assert_eq!(
        shown(&load_with("", &[], &["x"])).matches("error[").count(),
        2
    );
}

#[test]
fn syntax_errors() {
    let text = "[sources.meter]\ntimeout = yes\n\n[sinks.sheet]\nexporter = \"csv\ninputs = [\"metr\"]\npath = 'x'\npath = 'y'\n";
    assert_snapshot!(shown(&load_with(text, &[], &[])));
}

#[test]
fn each_syntax_error_is_told_once() {
    let texts = [
        "[sinks.s]\nexporter = \"csv\"\ninputs = [\"a\"\npath = \"x\"\n\n[sinks.t]\nexporter = \"csv\"\n",
        "[sinks.s]\nexporter =\ninputs = [\"a\"]\n",
        "[sinks.s\nexporter = \"csv\"\n[sinks.t]\nexporter = csv\ninputs = [a, b]\n",
        "[sinks.s]\nexporter\npath \"x\"\n",
        "[sinks.s]\npath = \"C:\\data\\x\"\n",
        "[sinks.s]\nx = { a = 1\nb = 2 }\ny = 'abc\n",
        "[sinks.s]\n[sinks.s]\n[[sources]]\nname = 1\n",
        "[sources.a]\ntimeout_secs = 1_0_\n",
        "\u{1b}[31m = 1 # \u{7}\n",
    ];
    assert_snapshot!(
        texts
            .map(|text| shown(&load_with(text, &[], &[])))
            .join("====\n")
    );
}

#[test]
fn what_stands_before_a_syntax_error_is_checked_too() {
    let text = "[sources.meter]\ntimeout_secs = \"x\"\n[sinks.s]\nexporter = csv\n[sinks.t]\n";
    assert_snapshot!(shown(&load_with(text, &[], &[])));
}

#[test]
fn syntax_errors_do_not_show_secrets() {
    let text = "[sinks.s]\ntoken = \"hunter2secret\nx = { password = 'hunter2', url = \"https://me:hunter2@h/\" y }\n";
    let shown = shown(&load_with(text, &[], &[]));
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(shown.contains("pipeline.toml:2:"), "{shown}");
}

#[test]
fn numbers_out_of_range() {
    let text = sheet("big = 99999999999999999999\nnone = nan\n");
    assert_snapshot!(shown(&load_with(&text, &[], &[])));
}

#[test]
fn columns_are_right_with_a_mark_windows_lines_tabs_and_wide_letters() {
    let text = "\u{feff}[sources.meter]\r\n\ttimeout_secs\t= \"é\"\r\n[sinks.s]\r\nexporter = \"csv\"\r\n\
        inputs = [\"日本\", \"metr\"] # 日\r\n";
    let loaded = load_with(text, &[], &[]);
    let places: Vec<_> = loaded
        .problems()
        .iter()
        .map(|p| p.place.as_ref().unwrap().to_string())
        .collect();
    assert_eq!(
        places,
        [
            "pipeline.toml:2:17",
            "pipeline.toml:5:11",
            "pipeline.toml:5:17"
        ]
    );
    assert_snapshot!(shown(&loaded));
}

#[test]
fn many_problems_come_in_the_order_of_the_file() {
    let text = "[sources.meter]\ntimeout_secs = \"x\"\n[sinks.one]\nexportr = \"csv\"\ninputs = [\"metre\"]\n\
        [sinks.two]\nexporter = \"csv\"\n[journal]\npth = \"x\"\n[sorces.b]\n";
    let mut loaded = load_with(text, &[("GLUCOPIPE__X", "1")], &[]);
    loaded.check_options(Component::Exporter, "one", &schema());
    let lines = loaded.problems().iter().map(|p| {
        format!(
            "{} {}",
            p.place.as_ref().map(Place::to_string).unwrap_or_default(),
            p.title
        )
    });
    assert_snapshot!(lines.collect::<Vec<_>>().join("\n"));
}

#[test]
fn problems_found_later_take_their_place() {
    let mut loaded = load_with(&GOOD.replace("type =", "typ ="), &[], &[]);
    let place = loaded.place("meter", &[]);
    let problem = crate::problem::Problem::error(crate::problem::Code::NO_METER, "first").at(place);
    loaded.report(problem);
    assert_eq!(loaded.problems()[0].title, "first");
    assert_eq!(loaded.problems().len(), 2);
}

#[test]
fn files_that_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let show = |path: &std::path::Path| {
        let text = render(&super::super::read_text(path).unwrap_err(), false);
        text.replace(&folder.path().display().to_string(), "[FOLDER]")
    };
    let bad = folder.path().join("bad.toml");
    std::fs::write(&bad, b"[a]\nx = \"\xff\"\n").unwrap();
    let utf16 = folder.path().join("utf16.toml");
    std::fs::write(&utf16, b"\xff\xfe[\0").unwrap();
    let all = [
        folder.path().join("none.toml"),
        folder.path().to_path_buf(),
        bad,
        utf16,
    ];
    assert_snapshot!(
        all.iter()
            .map(|path| show(path))
            .collect::<Vec<_>>()
            .join("----\n")
    );
}
