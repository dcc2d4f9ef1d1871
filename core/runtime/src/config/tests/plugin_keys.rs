use super::*;
use insta::assert_snapshot;

#[test]
fn good_keys_pass() {
    let own = "path = \"x\"\ndecimals = 2\npartition_by = [\"year\"]\nprofile = \"reading\"\nlimits = { retries = 1 }\n";
    let loaded = checked(&sheet(own), &[], &[]);
    assert_eq!(shown(&loaded), "");
    let resolved = loaded.resolve(Component::Exporter, "sheet").unwrap();
    assert_eq!(resolved.expose()["limits"], json!({ "retries": 1 }));
    assert!(loaded.resolve(Component::Exporter, "other").is_none());
}

#[test]
fn typo_in_a_plugin_key() {
    let own = "pth = \"x\"\ntimeout_sec = 3\ndriver = \"x\"\ncompression = 1\n[sinks.sheet.limits]\nretris = 4\n";
    assert_snapshot!(shown(&checked(&sheet(own), &[], &[])));
}

#[test]
fn wrong_values_of_plugin_keys() {
    let own = "path = 3\ndecimals = 7\nheader = \"yes\"\nmode = \"apend\"\npartition_by = [\"year\", \"moth\", 1]\nprofile = \"readings\"\nlimits = 1\n";
    let loaded = checked(&sheet(own), &[], &[]);
    assert_snapshot!(shown(&loaded));
    assert!(loaded.resolve(Component::Exporter, "sheet").is_none());
}

#[test]
fn missing_plugin_key() {
    assert_snapshot!(shown(&checked(&sheet(""), &[], &[])));
}

#[test]
fn overrides_are_read_as_the_schema_says() {
    let variables = [
        ("GLUCOPIPE__SINKS__SHEET__PATH", "true"),
        ("GLUCOPIPE__SINKS__SHEET__HEADER", "false"),
        ("GLUCOPIPE__SINKS__SHEET__PARTITION_BY", "year, month"),
    ];
    let overrides = [
        "sinks.sheet.decimals=3",
        "sinks.sheet.limits.retries=5",
        "sinks.sheet.mode=append",
    ];
    let loaded = checked(&sheet(""), &variables, &overrides);
    assert_eq!(shown(&loaded), "");
    assert_eq!(
        json!(loaded.pipeline.sinks[0].options),
        json!({
            "path": "true", "header": false, "partition_by": ["year", "month"],
            "decimals": 3, "limits": { "retries": 5 }, "mode": "append",
        })
    );
}

#[test]
fn wrong_plugin_values_from_outside() {
    let variables = [
        ("GLUCOPIPE__SINKS__SHEET__DECIMALS", "many"),
        ("GLUCOPIPE__SINKS__SHEET__PATHS", "x"),
    ];
    let overrides = [
        "sinks.sheet.mode=apend",
        "sinks.sheet.limits.retries=\"5\"",
        "sinks.sheet.path=x",
    ];
    assert_snapshot!(shown(&checked(&sheet(""), &variables, &overrides)));
}

#[test]
fn broken_schemas_are_the_plugins_fault_and_told_once() {
    let text = sheet("path = 1\n") + "[sinks.two]\nexporter = \"csv\"\ninputs = [\"meter\"]\n";
    let schemas = [
        json!({ "$ref": "https://example.org/schema.json" }),
        json!({ "properties": { "a": { "$ref": "file:///etc/passwd" } } }),
        json!({ "$ref": "#/$defs/a", "$defs": { "a": { "allOf": [{ "$ref": "#/$defs/a" }] } } }),
        json!({ "type": "strange" }),
        json!({ "$ref": "#/$defs/none" }),
        json!(3),
    ];
    let mut all = String::new();
    for schema in schemas {
        let mut loaded = load_with(&text, &[], &[]);
        loaded.check_options(Component::Exporter, "sheet", &schema);
        loaded.check_options(Component::Exporter, "two", &schema);
        assert_eq!(loaded.problems().len(), 1);
        all += &shown(&loaded);
    }
    assert_snapshot!(all);
}

#[test]
fn schemas_are_closed_through_their_compositions_and_open_on_demand() {
    let text = sheet("kind = \"a\"\nx = 1\nother = 2\n");
    let composed = json!({
        "properties": { "kind": { "type": "string" } },
        "oneOf": [{ "properties": { "x": { "type": "integer" } } }, { "properties": { "y": {} }, "required": ["y"] }],
    });
    let mut loaded = load_with(&text, &[], &[]);
    loaded.check_options(Component::Exporter, "sheet", &composed);
    assert_eq!(
        shown(&loaded).lines().next(),
        Some("error[GP0102]: unknown key `other` in [sinks.sheet]")
    );
    assert_eq!(loaded.problems().len(), 1);
    let mut loaded = load_with(&text, &[], &[]);
    let open = json!({ "properties": { "kind": {} }, "additionalProperties": true });
    loaded.check_options(Component::Exporter, "sheet", &open);
    assert_eq!(shown(&loaded), "");
    let mut loaded = load_with(&text, &[], &[]);
    loaded.check_options(
        Component::Exporter,
        "sheet",
        &json!({ "properties": {}, "additionalProperties": false }),
    );
    assert_eq!(loaded.problems().len(), 3);
}
