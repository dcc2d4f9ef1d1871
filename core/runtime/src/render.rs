//! Turns a [`Problem`] into text for people and JSON for programs.
//!
//! Only here is the shape of a message known. Texts may come from meters, plugins and files: what
//! could steer a terminal is escaped.

use std::borrow::Cow;
use std::fmt::Write;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde_json::{Value, json};

use crate::problem::{Place, Problem, Severity, line_column};

/// Renders a problem as text that ends with a line break.
pub fn render(problem: &Problem, colour: bool) -> String {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let code = problem.code.to_string();
    let title = level
        .primary_title(escape(&problem.title).into_owned())
        .id(code.as_str());
    let renderer = if colour {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let mut out = match &problem.place {
        Some(Place::Text { file, text, span }) if !text.is_empty() => {
            let (line, _) = line_column(text, span.start);
            let (text, span) = one_line(text, span);
            let label = problem
                .label
                .as_deref()
                .map(|label| escape(label).into_owned());
            let mut annotation = AnnotationKind::Primary.span(span);
            if let Some(label) = &label {
                annotation = annotation.label(label.as_str());
            }
            let snippet = Snippet::source(text)
                .line_start(line)
                .annotation(annotation);
            renderer.render(&[title.element(snippet.path(escape(file).into_owned()))])
        }
        Some(place) => {
            let head = renderer.render(&[annotate_snippets::Group::with_title(title)]);
            format!("{head}\n --> {}", escape(&place.to_string()))
        }
        None => renderer.render(&[annotate_snippets::Group::with_title(title)]),
    };
    out.truncate(out.trim_end().len());
    out.push('\n');
    for cause in &problem.causes {
        line(&mut out, &format!("  cause: {}", escape(cause)));
    }
    if let Some(kept) = &problem.kept {
        line(&mut out, &format!("  {}", escape(kept)));
    }
    if let Some(hint) = &problem.hint {
        out.push('\n');
        for (index, part) in hint.split('\n').enumerate() {
            let lead = if index == 0 { "hint: " } else { "      " };
            line(&mut out, format!("{lead}{}", escape(part)).trim_end());
        }
    }
    out
}

/// Renders a problem as a JSON object; absent parts are `null`, lists may be empty.
pub fn render_json(problem: &Problem) -> Value {
    let place = match &problem.place {
        None => Value::Null,
        Some(Place::Named(name)) => json!({ "name": name }),
        Some(Place::Text { file, text, span }) => {
            let (line, column) = line_column(text, span.start);
            let (end_line, end_column) = line_column(text, span.end.max(span.start));
            json!({
                "file": file, "line": line, "column": column,
                "end_line": end_line, "end_column": end_column,
            })
        }
    };
    json!({
        "code": problem.code.to_string(),
        "severity": match problem.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        },
        "title": problem.title,
        "place": place,
        "label": problem.label,
        "causes": problem.causes,
        "kept": problem.kept,
        "hint": problem.hint,
    })
}

/// A word of a command as it is typed in a shell of POSIX.
pub fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:,@=".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// Escapes what could steer a terminal or hide text: control and formatting characters.
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_unsafe(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn line(out: &mut String, text: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{text}");
}

/// The line of the span's start without its end, made harmless, and the part of the span in it.
/// Replacements have the same length in bytes.
fn one_line(text: &str, span: &Range<usize>) -> (String, Range<usize>) {
    let boundary = |mut at: usize| {
        at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let (start, end) = (boundary(span.start), boundary(span.end.max(span.start)));
    let first = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let last = text[start..].find('\n').map_or(text.len(), |at| start + at);
    let line = text[first..last]
        .strip_suffix('\r')
        .unwrap_or(&text[first..last]);
    let shown = line
        .chars()
        .map(|c| match c.len_utf8() {
            _ if !is_unsafe(c) || c == '\t' => c,
            1 => '?',
            2 => '\u{b7}',
            3 => '\u{fffd}',
            _ => '\u{1f6ab}',
        })
        .collect();
    let inside = |at: usize| (at - first).min(line.len());
    (shown, inside(start)..inside(end.min(last).max(start)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Code;

    fn text(text: &str, span: Range<usize>) -> Place {
        Place::Text {
            file: "pipeline.toml".to_owned(),
            text: text.into(),
            span,
        }
    }

    #[test]
    fn renders_every_part_in_its_place() {
        let place = text("[sources.meter]\nretris = 3\n", 16..22);
        let problem = Problem::error(Code::CONFIG_UNKNOWN_KEY, "unknown key `retris`")
            .at(place)
            .label("here")
            .cause("one")
            .cause("two")
            .kept("nothing was read or written")
            .hint("first line:\nsecond line");
        let shown = [
            "error[GP0102]: unknown key `retris`",
            " --> pipeline.toml:2:1",
            "  |",
            "2 | retris = 3",
            "  | ^^^^^^ here",
            "  cause: one",
            "  cause: two",
            "  nothing was read or written",
            "",
            "hint: first line:",
            "      second line",
            "",
        ];
        assert_eq!(render(&problem, false), shown.join("\n"));
        let coloured = render(&problem, true);
        assert!(
            coloured.contains("\u{1b}[") && coloured.contains("error[GP0102]"),
            "{coloured:?}"
        );
        assert_eq!(
            render_json(&problem),
            json!({
                "code": "GP0102",
                "severity": "error",
                "title": "unknown key `retris`",
                "place": {
                    "file": "pipeline.toml", "line": 2, "column": 1, "end_line": 2, "end_column": 7,
                },
                "label": "here",
                "causes": ["one", "two"],
                "kept": "nothing was read or written",
                "hint": "first line:\nsecond line",
            })
        );
    }

    #[test]
    fn renders_named_places_and_none() {
        let problem = Problem::warning(Code::CLOCK_OFFSET, "the clock is off");
        assert_eq!(
            render(&problem, false),
            "warning[GP0601]: the clock is off\n"
        );
        let problem = problem.at(Place::Named("/dev/hidraw3".to_owned()));
        let shown = "warning[GP0601]: the clock is off\n --> /dev/hidraw3\n";
        assert_eq!(render(&problem, false), shown);
        assert_eq!(
            render_json(&problem)["place"],
            json!({ "name": "/dev/hidraw3" })
        );
        assert_eq!(render_json(&problem)["severity"], "warning");
    }

    #[test]
    fn nothing_steers_the_terminal() {
        let evil = "a\u{1b}[2Jb\u{202e}c\nd\te\u{85}\u{200b}";
        let problem = Problem::error(Code::PROTOCOL, evil)
            .at(text(&format!("x = {evil}"), 0..1))
            .label(evil)
            .cause(evil)
            .kept(evil)
            .hint(evil);
        for rendered in [
            render(&problem, false),
            render(&problem.clone().at(Place::Named(evil.to_owned())), false),
        ] {
            let bad = |c: char| c != '\n' && is_unsafe(c);
            assert!(!rendered.contains(bad), "{rendered:?}");
            assert!(
                rendered.contains(r"a\u{1b}[2Jb\u{202e}c\nd\te\u{85}\u{200b}"),
                "{rendered}"
            );
        }
    }

    #[test]
    fn columns_count_characters_and_carets_stand_below_them() {
        let line = "x = 1\n\tä = \"日本\", 日 # \u{9b}\r\n";
        let at = line.find(", 日").unwrap() + 2;
        let problem = Problem::error(Code::CONFIG_VALUE, "t").at(text(line, at..at + 3));
        let shown = [
            "error[GP0103]: t",
            " --> pipeline.toml:2:12",
            "  |",
            "2 |     ä = \"日本\", 日 # ·",
            "  |                 ^^",
            "",
        ];
        assert_eq!(render(&problem, false), shown.join("\n"));
    }

    #[test]
    fn odd_spans_are_no_trouble() {
        for span in [0..0, 1..1, 2..900, 900..901, 4..12] {
            for source in ["", "\n", "é", "a\r\nb\r\n", "日本\nx = [\n1]\n"] {
                let problem =
                    Problem::error(Code::CONFIG_VALUE, "t").at(text(source, span.clone()));
                let place = format!("\n --> {}\n", problem.place.as_ref().unwrap());
                let shown = render(&problem, false);
                assert!(
                    shown.contains(&place),
                    "{source:?} {span:?} {place} {shown}"
                );
                render_json(&problem);
            }
        }
        let long = format!("key = \"{}\"", "x".repeat(100_000));
        let rendered = render(
            &Problem::error(Code::CONFIG_VALUE, "t").at(text(&long, 50_000..50_003)),
            false,
        );
        assert!(rendered.len() < 2_000, "{}", rendered.len());
    }
}
