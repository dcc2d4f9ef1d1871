//! Header, mirror and golden file say the same: names, order, offsets, sizes, types and constants.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // helpers of tests are tests

#[path = "support/parse.rs"]
mod parse;
mod support;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use glucopipe_abi::{GP_ABI_MAJOR, GP_ABI_MINOR, HEADER, layout};
use parse::{Header, parse};
use support::Compiler;

/// Compiles a C program and returns what it prints.
fn output_of(program: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("program.c");
    let binary = folder.path().join("program");
    std::fs::write(&source, program).unwrap();
    let compiler = &Compiler::c()[0];
    compiler.build(
        &[
            "-std=c99",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-o",
            binary.to_str().unwrap(),
        ],
        &source,
    );
    let output = Command::new(&binary).output().unwrap();
    assert!(output.status.success(), "the program failed: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// What the C compiler says of everything in the header, a line each.
fn measured(header: &Header) -> String {
    let mut program = String::from(
        "#include <errno.h>\n#include <inttypes.h>\n#include <stdio.h>\n#include \"glucopipe.h\"\n\
         #define STRUCT(n, t) { struct in_line { char c; t s; }; printf(\"struct %s %zu %zu\\n\", n, \
         sizeof(t), offsetof(struct in_line, s)); }\n\
         #define FIELD(n, t, f, d) printf(\"field %s.%s %zu %zu %s\\n\", n, #f, offsetof(t, f), \
         sizeof(((t*)0)->f), d);\n\
         #define NUMBER(x) printf(\"number %s %\" PRId64 \"\\n\", #x, (int64_t)(x));\n\
         #define TEXT(x) printf(\"text %s %s\\n\", #x, x);\n\
         #define ERRNO(x) printf(\"errno %s %d\\n\", #x, x);\n\
         int main(void) {\n",
    );
    for name in &header.numbers {
        writeln!(program, "NUMBER({name})").unwrap();
    }
    for name in &header.texts {
        writeln!(program, "TEXT({name})").unwrap();
    }
    for each in &header.structs {
        let (name, c_name) = (&each.name, &each.c_name);
        writeln!(program, "STRUCT(\"{name}\", {c_name})").unwrap();
        for field in &each.fields {
            let (field, c_type) = (&field.name, &field.c_type);
            writeln!(
                program,
                "FIELD(\"{name}\", {c_name}, {field}, \"{c_type}\")"
            )
            .unwrap();
        }
    }
    for (name, _) in layout::ERRNO {
        writeln!(program, "ERRNO({name})").unwrap();
    }
    program.push_str("return 0; }\n");
    output_of(&program)
}

/// What the mirror says, in the same lines; the C types are the header's.
fn mirrored(header: &Header) -> String {
    let mut lines = String::new();
    let number = |name: &String| {
        let found = layout::NUMBERS.iter().find(|number| number.0 == name);
        found.map(|number| number.1.to_string())
    };
    // Arrow's flags are not repeated in Rust: the arrow crate has them.
    let ours = |name: &&String| name.starts_with("GP_");
    for name in header.numbers.iter().filter(ours) {
        let value = number(name).unwrap_or_else(|| "missing in the mirror".into());
        writeln!(lines, "number {name} {value}").unwrap();
    }
    for name in &header.texts {
        let found = layout::TEXTS.iter().find(|text| text.0 == name);
        let value = found.map_or("missing in the mirror".into(), |text| {
            String::from_utf8_lossy(text.1)
        });
        writeln!(lines, "text {name} {value}").unwrap();
    }
    for each in layout::STRUCTS.iter().copied().flatten() {
        writeln!(lines, "struct {} {} {}", each.name, each.size, each.align).unwrap();
        let declared = header.structs.iter().find(|other| other.name == each.name);
        for field in each.fields {
            let c_type = declared
                .and_then(|declared| declared.fields.iter().find(|f| f.name == field.name))
                .map_or("missing in the header", |field| &field.c_type);
            writeln!(
                lines,
                "field {}.{} {} {} {c_type}",
                each.name, field.name, field.offset, field.size
            )
            .unwrap();
        }
    }
    for (name, value) in layout::ERRNO {
        writeln!(lines, "errno {name} {value}").unwrap();
    }
    lines
}

/// Lines of one side that the other lacks, as a diff; empty when both have the same, each once.
fn difference(left: &str, right: &str) -> String {
    let (has, wants): (BTreeSet<&str>, BTreeSet<&str>) =
        (left.lines().collect(), right.lines().collect());
    let mut diff = String::new();
    for line in left.lines().filter(|line| !wants.contains(line)) {
        writeln!(diff, "- {line}").unwrap();
    }
    for line in right.lines().filter(|line| !has.contains(line)) {
        writeln!(diff, "+ {line}").unwrap();
    }
    if diff.is_empty() && left.lines().count() != right.lines().count() {
        diff.push_str("a line comes twice\n");
    }
    diff
}

/// Without what differs from platform to platform.
fn portable(lines: &str, skip: &str) -> String {
    let kept = lines.lines().filter(|line| !line.starts_with(skip));
    kept.map(|line| format!("{line}\n")).collect()
}

#[test]
fn the_parser_sees_all_of_the_header() {
    let header = parse(HEADER);
    let structs = HEADER.matches("\ntypedef struct ").count() + HEADER.matches("\nstruct ").count();
    // `typedef struct x x;` declares an opaque type and has no body.
    assert_eq!(header.structs.len(), structs - 4, "{:?}", header.structs);
    let constants = HEADER.matches("#define GP_").count();
    // GP_HAS once; GP_EXPORT and GP_CALL in two variants.
    assert_eq!(header.texts.len() + header.numbers.len() - 3, constants - 5);
}

#[test]
fn mirror_has_the_layout_of_the_header() {
    let header = parse(HEADER);
    let c = portable(&measured(&header), "number ARROW_");
    let diff = difference(&c, &mirrored(&header));
    assert!(
        diff.is_empty(),
        "the header (-) and the Rust mirror (+) differ; the header is the contract:\n{diff}"
    );
    for (name, _) in layout::NUMBERS {
        assert!(
            header.numbers.iter().any(|n| n == name),
            "`{name}` is not in the header"
        );
    }
    for (name, _) in layout::TEXTS {
        assert!(
            header.texts.iter().any(|n| n == name),
            "`{name}` is not in the header"
        );
    }
}

#[test]
fn mirror_has_the_types_of_the_header() {
    let header = parse(HEADER);
    for each in &header.structs {
        let mirror = layout::STRUCTS.iter().copied().flatten();
        let mirror = mirror
            .into_iter()
            .find(|other| other.name == each.name)
            .unwrap();
        for (field, mirrored) in each.fields.iter().zip(mirror.fields) {
            let written: String = mirrored.rust_type.split_whitespace().collect();
            // rustfmt leaves a comma behind the last entry of a broken list.
            let written = written.replace(",)", ")").replace(",>", ">");
            assert_eq!(
                field.name, mirrored.name,
                "order of fields of `{}`",
                each.name
            );
            assert_eq!(
                written, field.rust_type,
                "type of `{}.{}`, in C: {}",
                each.name, field.name, field.c_type
            );
        }
    }
}

/// The golden files of this and all earlier minors, oldest first.
fn golden_files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    (0..=GP_ABI_MINOR)
        .map(|minor| folder.join(format!("v{GP_ABI_MAJOR}.{minor}-lp64.layout")))
        .collect()
}

/// Whether a line of an older minor may be another one today: its number, and sizes that grow.
fn may_change(line: &str, now: &str) -> bool {
    let Some(start) = line.strip_prefix("struct ") else {
        return line.starts_with("number GP_ABI_MINOR ");
    };
    let name = start.split(' ').next().unwrap_or_default();
    now.contains(&format!("field {name}.struct_size "))
}

#[test]
fn nothing_that_was_released_has_changed() {
    if cfg!(not(all(target_pointer_width = "64", not(windows)))) {
        println!("skipped: the golden files are for LP64 platforms");
        return;
    }
    let now = portable(&measured(&parse(HEADER)), "errno ");
    let mut files = golden_files();
    let newest = files.pop().unwrap();
    if std::env::var_os("GLUCOPIPE_ABI_BLESS").is_some() {
        std::fs::write(&newest, &now).unwrap();
    }
    let mut diff = String::new();
    for file in files {
        let golden = std::fs::read_to_string(&file).unwrap();
        let gone = golden
            .lines()
            .filter(|line| !now.lines().any(|l| l == *line));
        for line in gone.filter(|line| !may_change(line, &now)) {
            writeln!(diff, "- {line}    ({})", file.display()).unwrap();
        }
    }
    let golden = std::fs::read_to_string(&newest).unwrap_or_default();
    diff.push_str(&difference(&golden, &now));
    assert!(
        diff.is_empty(),
        "the ABI of the golden files (-) and of the header (+) differ:\n{diff}\
         The ABI is append-only: released structs, fields and constants never change. \
         See core/abi/README.md before you touch a golden file."
    );
}

#[test]
fn gp_has_is_true_exactly_when_the_whole_member_is_there_and_set() {
    let header = parse(HEADER);
    let mut program = String::from(
        "#include <stdio.h>\n#include <string.h>\n#include \"glucopipe.h\"\n\
         static int checks;\n\
         #define CHECK(t, f) { t x; uint32_t size; memset(&x, 0x11, sizeof x);\\\n\
         for (size = 0; size <= sizeof x + 64; size++) {\\\n\
           int want = size >= offsetof(t, f) + sizeof x.f;\\\n\
           x.struct_size = size; checks++;\\\n\
           if (GP_HAS(&x, f) != want) printf(\"%s.%s at %u\\n\", #t, #f, (unsigned)size);\\\n\
         }\\\n\
         memset(&x.f, 0, sizeof x.f); x.struct_size = sizeof x;\\\n\
         if (GP_HAS(&x, f)) printf(\"%s.%s unset\\n\", #t, #f); }\n\
         int main(void) {\n",
    );
    for table in header
        .structs
        .iter()
        .filter(|s| s.fields[0].name == "struct_size")
    {
        for field in &table.fields[1..] {
            writeln!(program, "CHECK({}, {})", table.c_name, field.name).unwrap();
        }
    }
    program.push_str("printf(\"%d checks\\n\", checks); return 0; }\n");
    let output = output_of(&program);
    assert_eq!(output.lines().count(), 1, "{output}");
    assert!(!output.starts_with("0 "), "{output}");
}
