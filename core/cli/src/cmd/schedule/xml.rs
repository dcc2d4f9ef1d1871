//! XML, as far as two schedulers need it.

/// Text inside an element.
pub(super) fn text(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// An element with text in it.
pub(super) fn element(name: &str, content: &str) -> String {
    format!("<{name}>{}</{name}>", text(content))
}
