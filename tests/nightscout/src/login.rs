//! Who may do what at a site, and what a failed login costs.

use std::time::Duration;

use serde_json::{Value, json};

use super::{API_SECRET, NOW_MS, State, Ticket};

/// What was shown to be let in.
#[derive(Clone, Debug, Default)]
pub(super) struct Shown {
    pub(super) api_secret: Option<String>,
    pub(super) bearer: Option<String>,
}

/// Rights of somebody, or a failed login.
pub(super) type Rights = Option<Vec<String>>;

/// The hash of a secret, as it is sent.
pub(super) fn hashed(secret: &str) -> String {
    sha1_smol::Sha1::from(secret).digest().to_string()
}

fn implies(granted: &str, right: &str) -> bool {
    let mut right = right.split(':');
    granted
        .split(':')
        .all(|part| right.next().is_some_and(|own| part == "*" || part == own))
}

/// Whether rights allow something.
pub(super) fn allow(rights: &[String], right: &str) -> bool {
    rights.iter().any(|granted| implies(granted, right))
}

impl State {
    fn everybody(&self) -> Vec<String> {
        match self.settings.default_role {
            "readable" => vec!["*:*:read".to_owned()],
            _ => Vec::new(),
        }
    }

    fn with_everybody(&self, rights: &[&str]) -> Vec<String> {
        let rights = rights.iter().map(|right| (*right).to_owned());
        rights.chain(self.everybody()).collect()
    }

    fn token_rights(&self, is: impl Fn(&str) -> bool) -> Rights {
        let tokens = &self.settings.tokens;
        let (_, rights) = tokens.iter().find(|(token, _)| is(token))?;
        Some(self.with_everybody(rights))
    }

    /// How long a request waits for failed logins before it; a good one clears them.
    pub(super) fn delay(&self) -> Duration {
        self.settings.login_delay * self.delays
    }

    /// Lets somebody in to API 1, or 3 with a ticket.
    pub(super) fn admit(&mut self, shown: &Shown) -> Rights {
        let rights = match shown {
            Shown {
                api_secret: Some(secret),
                ..
            } => {
                if secret.eq_ignore_ascii_case(&hashed(API_SECRET)) {
                    Some(vec!["*".to_owned()])
                } else {
                    self.token_rights(|token| secret == token || *secret == hashed(token))
                }
            }
            Shown {
                bearer: Some(ticket),
                ..
            } => {
                let known = self
                    .tickets
                    .iter_mut()
                    .find(|one| one.text == *ticket && one.uses > 0);
                let token = known.map(|one| {
                    one.uses -= 1;
                    one.token.clone()
                });
                token.and_then(|own| self.token_rights(|token| token == own))
            }
            _ => return Some(self.everybody()),
        };
        match rights {
            Some(_) => self.delays = 0,
            None => {
                self.failed_logins += 1;
                self.delays += 1;
            }
        }
        rights
    }

    /// A ticket for a token; an unknown one costs nothing.
    pub(super) fn ticket(&mut self, token: &str) -> Option<Value> {
        let (_, rights) = self
            .settings
            .tokens
            .iter()
            .find(|(known, _)| known == token)?;
        let groups = json!([rights]);
        let text = format!("ticket.{}", self.tickets.len());
        self.tickets.push(Ticket {
            text: text.clone(),
            token: token.to_owned(),
            uses: self.settings.ticket_uses,
        });
        let now = NOW_MS / 1000;
        let until = u64::try_from(now).unwrap_or_default() + self.settings.ticket_secs;
        Some(
            json!({ "token": text, "sub": "uploader", "permissionGroups": groups, "iat": now, "exp": until }),
        )
    }
}
