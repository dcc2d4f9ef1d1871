//! Header and mirror say the same: names, order, offsets, sizes, types and constants.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // helpers of tests are tests

#[path = "support/measure.rs"]
mod measure;
#[path = "support/parse.rs"]
mod parse;
mod support;

use std::fmt::Write as _;

use glucopipe_abi::{HEADER, layout};
use measure::{difference, measured, output_of, portable};
use parse::{Header, parse};

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
    // Declarations without a layout have no mirror; the cross tests call what they declare.
    let c = portable(&portable(&measured(HEADER), "number ARROW_"), "declared ");
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
    let output = output_of(&program, HEADER);
    assert_eq!(output.lines().count(), 1, "{output}");
    assert!(!output.starts_with("0 "), "{output}");
}
