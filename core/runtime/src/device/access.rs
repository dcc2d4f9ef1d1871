//! Whether nodes may be opened, and what to say when not.

use serde::Serialize;

/// A node, and who may open it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Node {
    /// Its path.
    pub path: String,
    /// Owner and group, `root:disk`.
    pub owner: Option<String>,
    /// Mode, `0660`.
    pub mode: Option<String>,
    /// Whether this user may read and write it.
    pub accessible: bool,
}

impl Node {
    /// Looks at a node.
    #[cfg(target_os = "linux")]
    pub(super) fn look(path: &str) -> Self {
        use std::os::unix::fs::MetadataExt;

        use rustix::fs::{Access, access};

        let found = std::fs::metadata(path).ok();
        Self {
            path: path.to_owned(),
            owner: found.as_ref().map(|found| {
                let user = name_of("/etc/passwd", found.uid());
                let group = name_of("/etc/group", found.gid());
                format!("{user}:{group}")
            }),
            mode: found.map(|found| format!("{:04o}", found.mode() & 0o7777)),
            accessible: access(path, Access::READ_OK | Access::WRITE_OK).is_ok(),
        }
    }

    /// Other systems have names for devices, not nodes with owners; whether one may be opened shows when it is.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn look(path: &str) -> Self {
        Self {
            path: path.to_owned(),
            owner: None,
            mode: None,
            accessible: true,
        }
    }

    /// `is root:disk 0660`, or that it is not there.
    pub fn state(&self) -> String {
        match (&self.owner, &self.mode) {
            (Some(owner), Some(mode)) => format!("is {owner} {mode}"),
            _ => "is not there".into(),
        }
    }
}

/// Why none of the nodes can be opened, in a line.
pub(super) fn why(nodes: &[Node]) -> String {
    let you = match user() {
        Some(uid) => format!(" and you are uid {uid}"),
        None => String::new(),
    };
    match nodes {
        [node] => format!("the node {}{you}", node.state()),
        nodes => {
            let states: Vec<_> = nodes
                .iter()
                .map(|node| format!("{} {}", node.path, node.state()))
                .collect();
            format!("{},{you}", states.join(", "))
        }
    }
}

#[cfg(unix)]
fn user() -> Option<u32> {
    Some(rustix::process::getuid().as_raw())
}

#[cfg(not(unix))]
fn user() -> Option<u32> {
    None
}

/// The name of an id in `/etc/passwd` or `/etc/group`, or the id. Owners of nodes are of the system, so other
/// sources of names are not asked.
#[cfg(target_os = "linux")]
fn name_of(file: &str, id: u32) -> String {
    let text = std::fs::read(file).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let mut lines = text.lines().map(|line| line.split(':'));
    let name = lines.find_map(|mut fields| {
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(id)).then(|| name.to_owned())
    });
    name.unwrap_or_else(|| id.to_string())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn owners_have_names_where_the_system_knows_them() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("group").display().to_string();
        std::fs::write(&file, "root:x:0:\nbroken\ndisk:x:6:me\n").unwrap();
        assert_eq!(name_of(&file, 6), "disk");
        assert_eq!(name_of(&file, 7), "7");
        assert_eq!(name_of("/none/such", 0), "0");
    }

    #[test]
    fn a_node_says_owner_and_mode() {
        let node = Node::look("/dev/null");
        assert!(node.accessible);
        assert_eq!(node.mode.as_deref(), Some("0666"));
        let gone = Node::look("/dev/none-such");
        assert!(!gone.accessible);
        assert!(
            why(std::slice::from_ref(&gone)).starts_with("the node is not there and you are uid ")
        );
        let both = why(&[node, gone]);
        assert!(both.starts_with("/dev/null is "), "{both}");
        assert!(
            both.contains(" 0666, /dev/none-such is not there, and you are uid "),
            "{both}"
        );
    }
}
