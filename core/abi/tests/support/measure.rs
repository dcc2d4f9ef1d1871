//! What a header declares as lines that can be compared, and which changes of them are allowed.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::Command;

use glucopipe_abi::layout;

use crate::parse::parse;
use crate::support::Compiler;

/// Compiles a C program with a header and returns what it prints.
pub(crate) fn output_of(program: &str, header: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("program.c");
    // The header beside the program comes before the one of the search path.
    std::fs::write(folder.path().join("glucopipe.h"), header).unwrap();
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

/// What the C compiler says of everything in a header, a line each.
pub(crate) fn measured(text: &str) -> String {
    let header = parse(text);
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
    let mut lines = output_of(&program, text);
    for declaration in &header.others {
        writeln!(lines, "declared {declaration}").unwrap();
    }
    lines
}

/// Lines of one side that the other lacks, as a diff; empty when both have the same, each once.
pub(crate) fn difference(left: &str, right: &str) -> String {
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
pub(crate) fn portable(lines: &str, skip: &str) -> String {
    let kept = lines.lines().filter(|line| !line.starts_with(skip));
    kept.map(|line| format!("{line}\n")).collect()
}

/// What of a released header a later one has broken, or may not have added yet.
#[allow(dead_code)] // not every test binary judges
pub(crate) fn violations(released: &str, now: &str) -> Vec<String> {
    let minor = |lines: &str| number(lines, "GP_ABI_MINOR");
    let has = |lines: &str, line: &str| lines.lines().any(|other| other == line);
    let gone = released.lines().filter(|line| !has(now, line));
    let mut found: Vec<String> = gone
        .filter(|line| !may_change(line, now))
        .map(|line| format!("changed or gone: {line}"))
        .collect();
    let added: Vec<&str> = now.lines().filter(|line| !has(released, line)).collect();
    if minor(now) < minor(released) {
        found.push("GP_ABI_MINOR went back".to_owned());
    } else if minor(now) == minor(released) && found.is_empty() && !added.is_empty() {
        let added = added.join("; ");
        found.push(format!("added without raising GP_ABI_MINOR: {added}"));
    }
    found
}

/// The value of a number.
fn number(lines: &str, name: &str) -> Option<i64> {
    let start = format!("number {name} ");
    lines
        .lines()
        .find_map(|line| line.strip_prefix(&start)?.parse().ok())
}

/// Whether a line of a released minor may be another one later: its number, and the size of a table that has
/// grown.
fn may_change(line: &str, now: &str) -> bool {
    if line.starts_with("number GP_ABI_MINOR ") {
        return true;
    }
    let size_of = |line: &str| {
        let mut words = line.strip_prefix("struct ")?.split(' ');
        let (name, size, align) = (words.next()?, words.next()?, words.next()?);
        Some((
            name.to_owned(),
            size.parse::<usize>().ok()?,
            align.to_owned(),
        ))
    };
    let Some((name, size, align)) = size_of(line) else {
        return false;
    };
    let table = now.contains(&format!("field {name}.struct_size "));
    let later = now
        .lines()
        .filter_map(size_of)
        .find(|later| later.0 == name);
    table && later.is_some_and(|later| later.1 > size && later.2 == align)
}
