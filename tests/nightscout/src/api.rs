//! What a site answers: status codes and bodies as measured.

use serde_json::{Value, json};

use super::login::{Shown, allow};
use super::store::{Document, Kept};
use super::{NOW_MS, State};

/// A request, read to its end.
#[derive(Clone, Debug, Default)]
pub(super) struct Call {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: Vec<(String, String)>,
    pub(super) content_type: String,
    pub(super) shown: Shown,
    pub(super) body: Vec<u8>,
}

/// What goes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Status and JSON.
    Json(u16, Value),
    /// Status and a page.
    Page(u16),
    /// Never anything.
    Silence,
    /// The process is dead.
    Crash,
}

fn unauthorized() -> Answer {
    Answer::Json(
        401,
        json!({ "status": 401, "message": "Unauthorized", "description": "Invalid/Missing" }),
    )
}

fn mongo_error(description: Value) -> Answer {
    Answer::Json(
        500,
        json!({ "status": 500, "message": "Mongo Error", "description": description }),
    )
}

impl Call {
    /// The documents of the body, if it is a list.
    pub(super) fn documents(&self) -> usize {
        match serde_json::from_slice(&self.body) {
            Ok(Value::Array(list)) => list.len(),
            Ok(Value::Object(_)) => 1,
            _ => 0,
        }
    }
}

impl State {
    /// Answers a call; only the first `limit` documents of a list are looked at.
    pub(super) fn answer(&mut self, call: &Call, limit: usize) -> Answer {
        let path = call.path.trim_start_matches('/');
        if call.path.starts_with("//") {
            return Answer::Page(404);
        }
        if let Some(token) = path.strip_prefix("api/v2/authorization/request/") {
            return match self.ticket(token) {
                Some(ticket) => Answer::Json(200, ticket),
                None => unauthorized(),
            };
        }
        match path {
            "api/v1/status.json" => return self.status(call),
            "api/v3/version" => {
                let version = json!({ "version": self.settings.version, "apiVersion": "3.0.4", "srvDate": NOW_MS });
                return match self.settings.dead_database {
                    true => mongo_error(json!({})),
                    false => Answer::Json(200, version),
                };
            }
            _ => {}
        }
        let parts: Vec<&str> = path.split('/').collect();
        match (call.method.as_str(), parts.as_slice()) {
            ("POST", ["api", "v3", collection]) => self.post_v3(call, collection),
            (method, ["api", "v1", name, rest @ ..]) => {
                let Some(collection) = ["entries", "treatments"]
                    .into_iter()
                    .find(|known| name.strip_suffix(".json").unwrap_or(name) == *known)
                else {
                    return Answer::Page(404);
                };
                self.v1(method, collection, rest, call, limit)
            }
            _ => Answer::Page(404),
        }
    }

    fn status(&mut self, call: &Call) -> Answer {
        let Some(rights) = self.admit(&call.shown) else {
            return unauthorized();
        };
        if !allow(&rights, "api:status:read") {
            return unauthorized();
        }
        let settings = &self.settings;
        Answer::Json(
            200,
            json!({
                "status": "ok",
                "name": "nightscout",
                "version": settings.version,
                "serverTimeEpoch": NOW_MS + settings.clock_ahead_ms,
                "apiEnabled": settings.api_enabled,
                "careportalEnabled": settings.careportal,
                "settings": { "units": settings.units, "authDefaultRoles": settings.default_role },
                "authorized": null,
                "runtimeState": "loaded",
            }),
        )
    }

    fn v1(
        &mut self,
        method: &str,
        collection: &str,
        rest: &[&str],
        call: &Call,
        limit: usize,
    ) -> Answer {
        let is_entries = collection == "entries";
        if (!is_entries && !self.settings.careportal)
            || (method != "GET" && !self.settings.api_enabled)
        {
            return Answer::Page(404);
        }
        let Some(rights) = self.admit(&call.shown) else {
            return unauthorized();
        };
        // Reading is asked of everybody first, of those who send too.
        let action = match method {
            "POST" => "create",
            "DELETE" => "delete",
            _ => "read",
        };
        let right = |action: &str| format!("api:{collection}:{action}");
        if !allow(&rights, &right("read")) || !allow(&rights, &right(action)) {
            return unauthorized();
        }
        if method == "POST" && call.body.len() > self.settings.body_limit {
            return Answer::Page(413);
        }
        if self.settings.dead_database {
            return mongo_error(json!({}));
        }
        match (method, rest) {
            ("GET", []) => {
                let mut query = call.query.clone();
                query.retain(|(key, _)| !self.settings.ignores_range || !key.contains("te]"));
                let found = self.store.find(is_entries, &query);
                Answer::Json(200, found.into_iter().map(Value::Object).collect())
            }
            ("DELETE", [id]) => {
                let deleted = self.store.delete(is_entries, id);
                Answer::Json(
                    200,
                    json!({ "acknowledged": true, "deletedCount": deleted }),
                )
            }
            ("POST", []) => self.post(is_entries, call, limit),
            _ => Answer::Page(404),
        }
    }

    fn post(&mut self, is_entries: bool, call: &Call, limit: usize) -> Answer {
        if !call.content_type.starts_with("application/json") {
            return Answer::Json(200, json!([]));
        }
        let Ok(body) = serde_json::from_slice::<Value>(&call.body) else {
            return Answer::Json(400, json!({ "stack": "SyntaxError" }));
        };
        let documents = match body {
            Value::Array(list) => list,
            Value::Object(one) if !is_entries || one.contains_key("date") => {
                vec![Value::Object(one)]
            }
            _ => return Answer::Json(200, json!([])),
        };
        if documents.is_empty() && self.settings.version != "15.0.7" {
            return Answer::Silence;
        }
        let kind = if is_entries { "type" } else { "eventType" };
        let is_string = |one: &Document| one.get(kind).is_none_or(Value::is_string);
        let objects: Option<Vec<Document>> = documents
            .into_iter()
            .map(|one| one.as_object().filter(|one| is_string(one)).cloned())
            .collect();
        // A `null` in the list, or a number for a type, ends the process.
        let Some(objects) = objects else {
            self.crashed = Some("a document is no object, or has no type".to_owned());
            return Answer::Crash;
        };
        let is_in = |set: &std::collections::HashSet<String>, one: &Document| {
            one.get("identifier")
                .and_then(Value::as_str)
                .is_some_and(|id| set.contains(id))
        };
        if objects.iter().any(|one| is_in(&self.settings.refused, one)) {
            return Answer::Json(
                400,
                json!({ "status": 400, "message": "Bad or missing field 118" }),
            );
        }
        if self.settings.read_only {
            return mongo_error(json!({}));
        }
        let mut echo = Vec::new();
        for (index, document) in objects.into_iter().take(limit).enumerate() {
            if is_in(&self.settings.poison, &document) {
                // The documents before it are stored, those behind it are not.
                return match self.settings.version {
                    "15.0.7" => {
                        mongo_error(json!({ "writeErrors": [{ "index": index, "op": document }] }))
                    }
                    _ => mongo_error(json!({})),
                };
            }
            if self.settings.writes_left == 0 {
                return mongo_error(json!({}));
            }
            self.settings.writes_left -= 1;
            let settings = &self.settings;
            echo.push(Value::Object(match is_entries {
                true => self.store.entry(settings, document),
                false => self.store.treatment(settings, document),
            }));
        }
        Answer::Json(200, Value::Array(echo))
    }

    fn post_v3(&mut self, call: &Call, collection: &str) -> Answer {
        if !["entries", "treatments"].contains(&collection) {
            return Answer::Json(404, json!({ "status": 404 }));
        }
        let error = |status: u16, message: &str| {
            Answer::Json(status, json!({ "status": status, "message": message }))
        };
        // Neither secret nor token: a ticket alone opens this door.
        let shown = Shown {
            bearer: call.shown.bearer.clone(),
            api_secret: None,
        };
        let rights = match shown.bearer {
            Some(_) => self.admit(&shown),
            None => None,
        };
        let Some(rights) = rights else {
            return error(401, "Bad access token or JWT");
        };
        let allowed = |action: &str| allow(&rights, &format!("api:{collection}:{action}"));
        if !allowed("create") {
            return error(403, &format!("Missing permission api:{collection}:create"));
        }
        if call.body.len() > self.settings.body_limit
            || self.settings.dead_database
            || self.settings.read_only
        {
            return mongo_error(json!({}));
        }
        let Ok(Value::Object(document)) = serde_json::from_slice::<Value>(&call.body) else {
            return error(400, "Bad or missing request body");
        };
        let text = |key: &str| {
            document
                .get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let is_number = |key: &str| document.get(key).is_some_and(Value::is_number);
        for (field, is_right) in [
            ("app", !text("app").is_empty()),
            ("date", is_number("date")),
            ("utcOffset", is_number("utcOffset")),
        ] {
            if !is_right {
                return error(400, &format!("Bad or missing {field} field"));
            }
        }
        if self.settings.refused.contains(text("identifier")) {
            return error(400, "Bad or missing app field");
        }
        if self.settings.poison.contains(text("identifier")) {
            return mongo_error(json!({}));
        }
        if self.settings.writes_left == 0 {
            return mongo_error(json!({}));
        }
        self.settings.writes_left -= 1;
        let may_update = allowed("update");
        match self.store.v3(collection == "entries", document, may_update) {
            Kept::Created => Answer::Json(201, json!({ "status": 201, "lastModified": NOW_MS })),
            Kept::Replaced => Answer::Json(200, json!({ "status": 200, "lastModified": NOW_MS })),
            Kept::Fixed(field) => error(
                400,
                &format!("Field {field} cannot be modified by the client"),
            ),
            Kept::NoUpdate => error(403, &format!("Missing permission api:{collection}:update")),
        }
    }
}
