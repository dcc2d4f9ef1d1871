//! A parser for just the C that `glucopipe.h` is written in. What it does not know fails the test, so
//! that nothing in the header escapes the comparison.

/// A struct of the header.
#[derive(Debug)]
pub(crate) struct Struct {
    /// Its name.
    pub(crate) name: String,
    /// As C names the type: `gp_error`, or `struct ArrowSchema` where there is no typedef.
    pub(crate) c_name: String,
    /// Its fields in their order.
    pub(crate) fields: Vec<Field>,
}

/// A field of a struct.
#[derive(Debug)]
pub(crate) struct Field {
    /// Its name.
    pub(crate) name: String,
    /// The type without names of parameters, one space between tokens: frozen in the golden file.
    pub(crate) c_type: String,
    /// The Rust type that mirrors it, without blanks.
    #[allow(dead_code)] // not every test binary looks at the mirror
    pub(crate) rust_type: String,
}

/// What the header declares.
#[derive(Debug, Default)]
pub(crate) struct Header {
    /// Every struct.
    pub(crate) structs: Vec<Struct>,
    /// Names of integer constants.
    pub(crate) numbers: Vec<String>,
    /// Names of text constants.
    pub(crate) texts: Vec<String>,
    /// Declarations that are no structs with a body, and macros that are no constants, one space between tokens.
    pub(crate) others: Vec<String>,
}

/// Macros that are no constants.
const OTHER_MACROS: &[&str] = &["GLUCOPIPE_H", "GP_HAS", "GP_EXPORT", "GP_CALL"];

/// Parses the header.
pub(crate) fn parse(text: &str) -> Header {
    let text = without_comments(text).replace("\\\n", " ");
    let mut header = Header::default();
    for line in text.lines() {
        if let Some(define) = line.trim().strip_prefix("#define ") {
            header.define(define.trim());
        }
    }
    let code: String = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .map(|line| format!("{line}\n"))
        .collect();
    for (start, _) in code.match_indices('{') {
        let before = &code[..start];
        let declared = &before[before.rfind([';', '}', '{']).map_or(0, |at| at + 1)..];
        if declared.trim() == "extern \"C\"" {
            continue;
        }
        header
            .structs
            .push(parse_struct(declared, &code[start + 1..]));
    }
    header.others.extend(bodiless(&code));
    header
}

/// Declarations outside of bodies that have none themselves: opaque types, aliases, functions.
fn bodiless(code: &str) -> Vec<String> {
    let code = code.replace("extern \"C\" {", "");
    let (mut found, mut declaration, mut depth, mut body) = (Vec::new(), String::new(), 0, false);
    for character in code.chars() {
        match character {
            '{' => {
                depth += 1;
                body = true;
            }
            // The end of `extern "C"` belongs to nothing that is left.
            '}' if depth == 0 => {}
            '}' => depth -= 1,
            ';' if depth == 0 => {
                if !body {
                    found.push(tokens(&declaration).join(" "));
                }
                declaration.clear();
                body = false;
            }
            other if depth == 0 => declaration.push(other),
            _ => {}
        }
    }
    found
}

impl Header {
    fn define(&mut self, define: &str) {
        let (name, value) = define
            .split_once(char::is_whitespace)
            .unwrap_or((define, ""));
        let macro_name = name.split('(').next().unwrap_or(name);
        let value = value.trim();
        if matches!(macro_name, "GP_CALL" | "GP_EXPORT") {
            self.others
                .push(format!("{name} as {value}").trim_end().to_owned());
        }
        if OTHER_MACROS.contains(&macro_name)
            || (macro_name.starts_with("ARROW_C_") && value.is_empty())
        {
            return;
        }
        let list = if value.starts_with('"') {
            &mut self.texts
        } else {
            assert!(!name.contains('('), "unknown macro `{name}` in the header");
            &mut self.numbers
        };
        list.push(name.to_owned());
    }
}

fn without_comments(text: &str) -> String {
    let mut rest = text;
    let mut code = String::new();
    while let Some((before, comment)) = rest.split_once("/*") {
        code.push_str(before);
        code.push(' ');
        rest = comment
            .split_once("*/")
            .expect("a comment without an end")
            .1;
    }
    code + rest
}

fn parse_struct(declared: &str, body: &str) -> Struct {
    let words: Vec<&str> = declared.split_whitespace().collect();
    let (typedef, name) = match words[..] {
        ["typedef", "struct", name] => (true, name),
        // After `extern "C" {` and constants there is nothing in front of a struct.
        ["struct", name] => (false, name),
        _ => panic!("not a struct: `{}`", declared.trim()),
    };
    let (fields, after) = body.split_once('}').expect("a struct without an end");
    let alias = after.split(';').next().unwrap_or("").trim();
    assert_eq!(
        alias,
        if typedef { name } else { "" },
        "typedef of `{name}`"
    );
    let fields = fields
        .split(';')
        .map(str::trim)
        .filter(|field| !field.is_empty())
        .map(parse_field)
        .collect();
    Struct {
        name: name.to_owned(),
        c_name: if typedef {
            name.to_owned()
        } else {
            format!("struct {name}")
        },
        fields,
    }
}

fn parse_field(declaration: &str) -> Field {
    let all = tokens(declaration);
    if let Some(open) = all.iter().position(|token| token == "(") {
        // RESULT ( GP_CALL * NAME ) ( PARAMETERS )
        let inner: Vec<&str> = all[open + 1..].iter().map(String::as_str).collect();
        let inner = inner.strip_prefix(&["GP_CALL"]).unwrap_or(&inner);
        let ["*", name, ")", "(", parameters @ .., ")"] = inner else {
            panic!("not a function pointer: `{declaration}`");
        };
        let parameters: Vec<Vec<String>> = parameters
            .split(|token| *token == ",")
            .map(|parameter| unnamed(parameter.iter().map(|&token| token.to_owned()).collect()))
            .filter(|parameter| parameter != &["void"])
            .collect();
        let result = &all[..open];
        let c_parameters: Vec<String> = parameters.iter().map(|p| p.join(" ")).collect();
        let rust_parameters: Vec<String> = parameters.iter().map(|p| rust_type(p)).collect();
        let rust_result = match result {
            [void] if void == "void" => String::new(),
            _ => format!("->{}", rust_type(result)),
        };
        return Field {
            name: (*name).to_owned(),
            c_type: format!("{} (*)({})", result.join(" "), c_parameters.join(", ")),
            rust_type: format!(
                "Option<unsafeextern\"C\"fn({}){rust_result}>",
                rust_parameters.join(",")
            ),
        };
    }
    assert!(
        !all.iter().any(|token| token == ","),
        "one field each: `{declaration}`"
    );
    if let [element @ .., name, open, count, close] = &all[..]
        && (open.as_str(), close.as_str()) == ("[", "]")
    {
        return Field {
            name: name.clone(),
            c_type: format!("{} [{count}]", element.join(" ")),
            rust_type: format!("[{};{count}]", rust_type(element)),
        };
    }
    let (name, kind) = all.split_last().expect("an empty field");
    Field {
        name: name.clone(),
        c_type: kind.join(" "),
        rust_type: rust_type(kind),
    }
}

/// Identifiers, numbers and single punctuation marks.
fn tokens(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut joins = false;
    for character in text.chars() {
        let word = character.is_ascii_alphanumeric() || character == '_';
        match found.last_mut() {
            Some(last) if word && joins => last.push(character),
            _ if !character.is_whitespace() => found.push(character.to_string()),
            _ => {}
        }
        joins = word;
    }
    found
}

/// A parameter without its name, where it has one.
fn unnamed(mut parameter: Vec<String>) -> Vec<String> {
    if let [.., before, last] = &parameter[..]
        && last != "*"
        && !matches!(before.as_str(), "const" | "struct")
    {
        parameter.pop();
    }
    parameter
}

/// The Rust type of a C type.
fn rust_type(c_type: &[String]) -> String {
    let words: Vec<&str> = c_type.iter().map(String::as_str).collect();
    let stars = words.iter().filter(|word| **word == "*").count();
    let (base, constant) = match &words[..words.len() - stars] {
        ["const", "struct", base] | ["const", base] => (*base, true),
        ["struct", base] | [base] => (*base, false),
        other => panic!("unknown type {other:?}"),
    };
    let base = match base {
        "void" => "c_void",
        "char" => "c_char",
        "int" => "c_int",
        "uint8_t" => "u8",
        "int32_t" => "i32",
        "uint32_t" => "u32",
        "int64_t" => "i64",
        "uint64_t" => "u64",
        name if name.starts_with("gp_") || name.starts_with("Arrow") => name,
        other => panic!("`{other}` has another size on other machines; use a fixed type"),
    };
    // `const` stands in front of what the innermost pointer leads to.
    let innermost = if constant { "*const" } else { "*mut" };
    match stars {
        0 => base.to_owned(),
        stars => format!("{}{innermost}{base}", "*mut".repeat(stars - 1)),
    }
}
