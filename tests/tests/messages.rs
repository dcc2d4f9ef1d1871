//! What the program says when `pipeline.toml` is wrong: the whole text, and nothing is written.

use glucopipe_tests::{Running, Workspace};

use crate::support::{shown, tree};

/// A pipeline that can be run.
const GOOD: &str = r#"[sources.meter]
driver = "contour"
device = "virtual:contour-next-usb?records=3"

[transforms.local]
type = "clock"
inputs = ["meter"]
timezone = "Europe/Athens"

[sinks.sheet]
exporter = "csv"
inputs = ["local"]
path = "out/sheet.csv"
"#;

/// Replaces a part of the good pipeline.
fn with(old: &str, new: &str) -> String {
    assert!(GOOD.contains(old), "`{old}` is not in the pipeline");
    GOOD.replace(old, new)
}

/// Runs a pipeline that must be refused, with arguments and variables; gives the messages.
fn refused(text: &str, arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let workspace = Workspace::new();
    workspace.write("pipeline.toml", text);
    let before = tree(workspace.path());
    let arguments = [&["run"], arguments].concat();
    let mut command = workspace.command(&arguments);
    command.envs(variables.iter().copied());
    let finished = Running::start(&mut command).finish();
    let messages = shown(&workspace, &finished);
    assert_eq!(finished.code, 3, "{messages}");
    assert_eq!(finished.stdout, "");
    assert_eq!(tree(workspace.path()), before, "something was written");
    messages
}

macro_rules! refused {
    ($($(#[$doc:meta])* $name:ident: $text:expr;)+) => {$(
        $(#[$doc])*
        #[test]
        fn $name() {
            insta::assert_snapshot!(refused(&$text, &[], &[]));
        }
    )+};
}

refused! {
    /// A key that every sink has, with a letter missing.
    typo_in_a_common_key: with("inputs = [\"local\"]", "inputs = [\"local\"]\ntimout_secs = 3");
    /// The key that names the exporter.
    typo_in_a_required_key: with("exporter =", "exportr =");
    /// A table that does not exist.
    typo_in_a_table: with("[sinks.sheet]", "[sink.sheet]");
    /// A key of the CSV exporter.
    typo_in_a_plugin_key: with("path =", "colums = [\"value\"]\npath =");
    /// A key of a transform that is built in.
    typo_in_a_transform_key: with("timezone =", "correct_drfit = true\ntimezone =");
    /// A key of a driver that has none.
    key_for_a_driver_without_keys: with("device =", "speed = 3\ndevice =");
    /// Text in place of a list.
    wrong_type_of_a_common_key: with("[\"local\"]", "\"local\"");
    /// A number in place of text, for an exporter.
    wrong_type_of_a_plugin_key: with("\"out/sheet.csv\"", "3");
    /// A word that is none of those an exporter takes.
    wrong_word_for_a_plugin_key: with("path =", "profile = \"exel\"\npath =");
    /// A required key of an exporter.
    missing_key_of_a_plugin: with("path = \"out/sheet.csv\"\n", "");
    /// A required key of a transform.
    missing_zone: with("timezone = \"Europe/Athens\"\n", "");
    /// An exporter that does not exist, but nearly.
    unknown_exporter: with("\"csv\"", "\"cvs\"");
    /// A driver that does not exist, but nearly.
    unknown_driver: with("\"contour\"", "\"contur\"");
    /// A transform that does not exist, but nearly.
    unknown_transform: with("\"clock\"", "\"clok\"");
    /// A transform like no other.
    unheard_of_transform: with("\"clock\"", "\"sharpen\"");
    /// A fixed offset.
    zone_as_an_offset: with("Europe/Athens", "UTC+2");
    /// A name with a letter missing.
    zone_with_a_typo: with("Europe/Athens", "Europe/Atens");
    /// An abbreviation.
    zone_as_an_abbreviation: with("Europe/Athens", "CEST");
    /// A number of decimals no meter has.
    decimals_out_of_range: format!(
        "{GOOD}\n[transforms.mmol]\ntype = \"units\"\ninputs = [\"local\"]\nto = \"mmol\"\nfactor = 17\ndecimals = 9\n"
    );
    /// A time that is none.
    filter_with_a_bad_time: with(
        "[sinks.sheet]",
        "[transforms.new]\ntype = \"filter\"\ninputs = [\"local\"]\nsince = \"yesterday\"\nkinds = [\"glucos\"]\n\n[sinks.sheet]"
    );
    /// Two transforms that feed each other.
    cycle: with(
        "inputs = [\"meter\"]",
        "inputs = [\"meter\", \"back\"]\n\n[transforms.back]\ntype = \"filter\"\ninputs = [\"local\"]\n\n[transforms.more]\ntype = \"clock\"\ninputs = [\"local\"]"
    );
    /// An input that is no node, but nearly.
    missing_input: with("[\"local\"]", "[\"locl\"]");
    /// A sink as input.
    sink_as_input: with("inputs = [\"meter\"]", "inputs = [\"sheet\"]");
    /// No inputs.
    no_input: with("[\"local\"]", "[]");
    /// A source and a sink of one name.
    name_used_twice: GOOD.replace("local", "sheet");
    /// A name with blanks and capitals.
    name_that_is_none: with("[sinks.sheet]", "[sinks.\"My Sheet\"]");
    /// A file of nothing.
    empty_file: "";
    /// Mistakes in several places are reported in one run.
    several_at_once: GOOD
        .replace("\"contour\"", "\"contur\"")
        .replace("Europe/Athens", "UTC+2")
        .replace("path =", "timout_secs = 3\npth =");
    /// No TOML.
    syntax_error: with("[\"local\"]", "[\"local\"");
    /// The same table twice.
    table_twice: format!("{GOOD}\n[sinks.sheet]\nexporter = \"csv\"\n");
    /// A selector of no kind.
    bad_selector: with("virtual:contour-next-usb?records=3", "contour-next-usb");
    /// A virtual meter that does not exist, but nearly.
    unknown_virtual_model: with("contour-next-usb", "contour-nxt-usb");
    /// A key of the virtual meter with a typo.
    unknown_virtual_key: with("records", "recods");
    /// A value the virtual meter cannot take.
    bad_virtual_value: with("records=3", "records=many");
    /// A fault the virtual meter does not have.
    unknown_virtual_fault: with("records=3", "fault=checksm");
    /// Two sinks that would write one file.
    one_path_for_two_sinks: format!(
        "{GOOD}\n[sinks.more]\nexporter = \"csv\"\ninputs = [\"meter\"]\npath = \"out/sheet.csv\"\n"
    );
    /// A plugin folder that depends on the working directory.
    relative_plugin_folder: format!("{GOOD}\n[plugins]\npath = [\"plugins\"]\n");
}

/// There is no file.
#[test]
fn missing_file() {
    let elsewhere = refused(GOOD, &["nowhere.toml"], &[]);
    insta::assert_snapshot!(elsewhere);
}

/// A folder is no file.
#[test]
fn folder_as_file() {
    insta::assert_snapshot!(refused(GOOD, &["plugins"], &[]));
}

/// What `--set` says wrong is blamed on it, not on the file.
#[test]
fn wrong_overrides() {
    let overrides = [
        "sinks.sheet.path",
        "sinks.sheet.pth=x.csv",
        "sinks.sheet.timeout_secs=ten",
        "sinks.shet.path=x.csv",
        "transforms.local.timezone=UTC+2",
        "sources.meter.device=virtual:contour-nxt-usb",
        "=3",
    ];
    let messages =
        overrides.map(|text| format!("--set {text}\n{}", refused(GOOD, &["--set", text], &[])));
    insta::assert_snapshot!(messages.join("\n"));
}

/// What the environment says wrong is blamed on the variable.
#[test]
fn wrong_environment() {
    let variables = [
        ("GLUCOPIPE__SINKS__SHEET__PTH", "x.csv"),
        ("GLUCOPIPE__SINKS__SHEET__TIMEOUT_SECS", "ten"),
        ("GLUCOPIPE__TRANSFORMS__LOCAL__TIMEZONE", "Europe/Atens"),
        ("GLUCOPIPE__SOURCES__METER__DRIVER", "contur"),
    ];
    let messages = variables
        .map(|(name, value)| format!("{name}={value}\n{}", refused(GOOD, &[], &[(name, value)])));
    insta::assert_snapshot!(messages.join("\n"));
}

/// The good pipeline is good, also with overrides, of which `--set` wins.
#[test]
fn overrides_apply() {
    let workspace = Workspace::new();
    workspace.write("pipeline.toml", GOOD);
    let mut command = workspace.command(&["run", "-q", "--set", "sinks.sheet.path=set.csv"]);
    command.env("GLUCOPIPE__SINKS__SHEET__PATH", "environment.csv");
    command.env("GLUCOPIPE__SINKS__SHEET__COLUMNS", "[\"value\"]");
    let finished = Running::start(&mut command).finish();
    assert_eq!((finished.code, finished.stderr.as_str()), (0, ""));
    let sheet = workspace.read("set.csv").expect("the file `--set` named");
    assert_eq!(sheet.lines().next(), Some("value"));
    assert!(!workspace.path().join("environment.csv").exists());
}
