//! Rights of an access token, as Nightscout writes them: `api:entries:create`, `api:*:read`, `*`. No I/O.

use glucopipe_sdk::serde_json::Value;

use crate::document::Collection;

/// What a token may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rights(Vec<String>);

impl Rights {
    /// Of `permissionGroups`: lists of rights in a list.
    pub(crate) fn of(groups: Option<&Value>) -> Self {
        let groups = groups.and_then(Value::as_array).into_iter().flatten();
        let rights = groups.flat_map(|group| group.as_array().into_iter().flatten());
        Self(
            rights
                .filter_map(|right| Some(right.as_str()?.to_owned()))
                .collect(),
        )
    }

    /// With what everybody may do at a site, by the stock roles.
    pub(crate) fn with_roles(mut self, roles: &[String]) -> Self {
        for role in roles {
            match role.as_str() {
                "admin" => self.0.push("*".to_owned()),
                "readable" => self.0.push("*:*:read".to_owned()),
                "status-readable" => self.0.push("api:status:read".to_owned()),
                "careportal" => self.0.push("api:treatments:create".to_owned()),
                _ => {}
            }
        }
        self
    }

    /// Whether a right is granted.
    pub(crate) fn allow(&self, right: &str) -> bool {
        self.0.iter().any(|granted| implies(granted, right))
    }

    /// The rights that are not granted.
    pub(crate) fn lack(&self, needed: &[String]) -> Vec<String> {
        let lacking = needed.iter().filter(|right| !self.allow(right));
        lacking.cloned().collect()
    }
}

/// `*` is everything, a comma is "or", and what is missing at the end is everything.
fn implies(granted: &str, right: &str) -> bool {
    let mut parts = right.split(':');
    for granted in granted.split(':') {
        let Some(part) = parts.next() else {
            // More is asked of the right than it says: `api:entries:read:x` does not give `api:entries:read`.
            return granted == "*";
        };
        if !granted
            .split(',')
            .any(|one| one.trim() == "*" || one.trim() == part)
        {
            return false;
        }
    }
    true
}

/// A right on a collection.
pub(crate) fn right(collection: Collection, action: &str) -> String {
    let name = match collection {
        Collection::Entries => "entries",
        Collection::Treatments => "treatments",
    };
    format!("api:{name}:{action}")
}

/// `` `a` and `b` ``.
pub(crate) fn named(rights: &[String]) -> String {
    let quoted: Vec<String> = rights.iter().map(|right| format!("`{right}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use glucopipe_sdk::serde_json::json;

    use super::*;

    #[test]
    fn rights_imply_what_they_cover() {
        for (granted, right, expected) in [
            ("*", "api:entries:create", true),
            ("*:*:read", "api:entries:read", true),
            ("*:*:read", "api:entries:create", false),
            ("api:*:create", "api:entries:create", true),
            ("api:entries:create,read", "api:entries:read", true),
            ("api:entries", "api:entries:delete", true),
            ("api:treatments:create", "api:entries:create", false),
            ("api:entries:read:x", "api:entries:read", false),
            ("", "api:entries:read", false),
        ] {
            assert_eq!(implies(granted, right), expected, "{granted} {right}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let groups = json!([["api:entries:create"], [7, null], "x"]);
        let rights = Rights::of(Some(&groups));
        let needed = [
            right(Collection::Entries, "create"),
            right(Collection::Entries, "read"),
            right(Collection::Treatments, "create"),
        ];
        let lacking = rights.lack(&needed);
        assert_eq!(
            named(&lacking),
            "`api:entries:read` and `api:treatments:create`"
        );
        let everybody = rights.with_roles(&["readable".to_owned(), "odd".to_owned()]);
        assert_eq!(everybody.lack(&needed), ["api:treatments:create"]);
        assert_eq!(Rights::of(None), Rights::default());
        assert_eq!(Rights::of(Some(&json!({}))), Rights::default());
    }
}
