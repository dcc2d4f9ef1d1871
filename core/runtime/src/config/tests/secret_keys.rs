use super::*;
use insta::assert_snapshot;

const SECRET: &str = "hunter2";

fn token(reference: &str) -> String {
    sheet(&format!("path = \"x\"\ntoken = {reference}\n"))
}

fn file(mode: u32, text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, text).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let path = path.display().to_string();
    (folder, path)
}

fn resolved(loaded: &Loaded) -> String {
    let resolved = loaded.resolve(Component::Exporter, "sheet").unwrap();
    assert!(!format!("{loaded:?} {resolved:?} {:?}", resolved.to_json()).contains(SECRET));
    resolved.expose()["token"].as_str().unwrap().to_owned()
}

#[test]
fn secrets_are_found_in_all_three_places() {
    let loaded = checked(&token("{ env = \"TOKEN\" }"), &[("TOKEN", SECRET)], &[]);
    assert_eq!(shown(&loaded), "");
    assert_eq!(resolved(&loaded), SECRET);
    let (folder, path) = file(0o600, "hunter2\r\n");
    let loaded = checked(&token(&format!("{{ file = '{path}' }}")), &[], &[]);
    assert_eq!(shown(&loaded), "");
    assert_eq!(resolved(&loaded), SECRET);
    let variables = [("CREDENTIALS_DIRECTORY", folder.path().to_str().unwrap())];
    let loaded = checked(&token("{ credential = \"token\" }"), &variables, &[]);
    assert_eq!(resolved(&loaded), SECRET);
    let options = json!(loaded.pipeline.sinks[0].options).to_string();
    assert!(!options.contains(SECRET), "{options}");
}

#[test]
fn an_override_replaces_the_reference() {
    let text = token("{ file = \"/no/such\" }");
    let loaded = checked(
        &text,
        &[("TOKEN", SECRET)],
        &["sinks.sheet.token.env=TOKEN"],
    );
    assert_eq!(shown(&loaded), "");
    assert_eq!(resolved(&loaded), SECRET);
    let loaded = checked(&text, &[("T", SECRET)], &["sinks.sheet.token={env=\"T\"}"]);
    assert_eq!(shown(&loaded), "");
}

#[test]
fn missing_secrets() {
    let all = [
        "{ env = \"TOKEN\" }",
        "{ env = \"EMPTY\" }",
        "{ file = \"/no/such/file\" }",
        "{ file = \"secrets/token\" }",
        "{ file = \"/dev/null\" }",
        "{ credential = \"token\" }",
        "{ credential = \"../token\" }",
        "{}",
        "{ evn = \"TOKEN\" }",
        "{ env = \"A\", file = \"/b\" }",
        "{ env = 3 }",
        "12",
    ];
    let shown = all.map(|reference| shown(&checked(&token(reference), &[("EMPTY", "")], &[])));
    assert_snapshot!(shown.join("====\n"));
}

#[cfg(unix)]
#[test]
fn secret_files_that_others_can_read_are_refused() {
    let (folder, path) = file(0o644, SECRET);
    let shown = shown(&checked(
        &token(&format!("{{ file = '{path}' }}")),
        &[],
        &[],
    ));
    assert!(!shown.contains(SECRET));
    assert_snapshot!(shown.replace(folder.path().to_str().unwrap(), "/run"));
}

#[test]
fn secret_files_have_a_limit() {
    let (folder, path) = file(0o600, &"x".repeat(70_000));
    let shown = shown(&checked(
        &token(&format!("{{ file = '{path}' }}")),
        &[],
        &[],
    ));
    assert!(shown.contains("larger than 64 KiB"), "{shown}");
    drop(folder);
}

#[test]
fn literal_secrets_are_never_shown() {
    // A key whose name gives nothing away, on a line with another mistake.
    let mut schema = schema();
    schema["properties"]["key"] = json!({ "type": "string", "format": "secret" });
    schema["properties"]["inner"] = json!({ "properties": { "key": { "format": "secret" } } });
    let text = sheet("path = \"x\"\nkey = \"hunter2\"\ninner = { key = \"hunter2\", kye = 1 }\n");
    let mut loaded = load_with(&text, &[], &[]);
    let early = loaded.place("sheet", &["key"]);
    loaded.check_options(Component::Exporter, "sheet", &schema);
    let text = shown(&loaded);
    assert!(!text.contains(SECRET), "{text}");
    assert!(!format!("{loaded:?}{:?}", loaded.pipeline).contains(SECRET));
    loaded.report(crate::problem::Problem::error(crate::problem::Code::SINK_CONFIG, "t").at(early));
    assert!(!shown(&loaded).contains(SECRET));
    assert_snapshot!(text);
}

#[test]
fn secrets_in_the_wrong_place_are_never_shown() {
    for reference in [
        "{ env = \"hunter2-x\" }",
        "{ value = \"hunter2\" }",
        "[\"hunter2\"]",
        "\"hunter2\"",
    ] {
        let shown = shown(&checked(&token(reference), &[], &[]));
        assert!(!shown.contains(SECRET), "{shown}");
        assert!(shown.contains("pipeline.toml:7:"), "{shown}");
    }
    let variables = [("GLUCOPIPE__SINKS__SHEET__TOKEN", SECRET)];
    let loaded = checked(&sheet("path = \"x\"\n"), &variables, &[]);
    assert_snapshot!(shown(&loaded));
}
