//! Secrets are references, `{ env = … }`, `{ file = … }` or `{ credential = … }`; here they are
//! followed. No message ever holds the value.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;
use serde_json::Value;

use crate::problem::Code;
use crate::suggest::{did_you_mean, nearest};

/// The ways to refer to a secret.
pub(super) const WAYS: [&str; 3] = ["env", "file", "credential"];
/// Longer than any key or token.
const MAX_BYTES: u64 = 64 * 1024;

/// Why a secret is not there.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) code: Code,
    /// Follows the name of the key: `is written into the file`.
    pub(super) what: String,
    pub(super) cause: Option<String>,
    pub(super) hint: String,
    /// The key of the reference to point at.
    pub(super) key: Option<String>,
    /// Parts of the reference that may be the secret itself and must be hidden.
    pub(super) hide: Vec<String>,
}

impl Refusal {
    fn new(what: impl Into<String>, hint: impl Into<String>) -> Box<Self> {
        Box::new(Self {
            code: Code::CONFIG_SECRET,
            what: what.into(),
            cause: None,
            hint: hint.into(),
            key: None,
            hide: Vec::new(),
        })
    }

    fn cause(mut self: Box<Self>, cause: impl Into<String>) -> Box<Self> {
        self.cause = Some(cause.into());
        self
    }
}

/// Follows one reference.
pub(super) fn resolve(
    key: &str,
    value: &Value,
    environment: &[(OsString, OsString)],
) -> Result<SecretString, Box<Refusal>> {
    let variable = format!(
        "GLUCOPIPE_{}",
        key.to_ascii_uppercase()
            .replace(|c: char| !c.is_ascii_alphanumeric(), "_")
    );
    let table = match value {
        Value::Object(table) => table,
        Value::String(_) => {
            let hint = format!(
                "refer to it, `{key} = {{ env = \"{variable}\" }}`, and make a new secret if others saw this one"
            );
            let mut refusal = Refusal::new(
                "is a secret that is written out, expected a reference to it",
                hint,
            );
            refusal.code = Code::CONFIG_SECRET_LITERAL;
            return Err(refusal);
        }
        other => {
            let what = format!(
                "needs a reference to a secret, got {}",
                super::values::type_word(other)
            );
            return Err(Refusal::new(
                what,
                format!("write `{key} = {{ env = \"{variable}\" }}`"),
            ));
        }
    };
    let form = "exactly one of `env`, `file` and `credential`";
    if let Some(unknown) = table.keys().find(|key| !WAYS.contains(&key.as_str())) {
        let hint = nearest(unknown, WAYS).map(did_you_mean);
        let mut refusal = Refusal::new(
            format!("refers to a secret by `{unknown}`, expected {form}"),
            hint.unwrap_or_else(|| format!("write `{key} = {{ env = \"{variable}\" }}`")),
        );
        refusal.key = Some(unknown.clone());
        refusal.hide = table
            .keys()
            .filter(|key| !WAYS.contains(&key.as_str()))
            .cloned()
            .collect();
        return Err(refusal);
    }
    let (way, target) = match table.iter().collect::<Vec<_>>()[..] {
        [(way, Value::String(target))] => (way.as_str(), target.as_str()),
        [(way, other)] => {
            let what = format!(
                "has a wrong `{way}`: expected text, got {}",
                super::values::type_word(other)
            );
            return Err(at(
                way,
                Refusal::new(what, format!("write `{way} = \"…\"`")),
            ));
        }
        [] => {
            let what = format!("refers to no secret, expected {form}");
            return Err(Refusal::new(
                what,
                format!("write `{key} = {{ env = \"{variable}\" }}`"),
            ));
        }
        [_, (second, _), ..] => {
            let what = format!(
                "refers to a secret in {} ways, expected {form}",
                table.len()
            );
            return Err(at(second, Refusal::new(what, "keep one of them")));
        }
    };
    let found = match way {
        "env" => from_environment(target, environment),
        "file" => from_file(target),
        _ => from_credential(target, environment),
    };
    found.map_err(|refusal| at(way, refusal))
}

fn at(way: &str, mut refusal: Box<Refusal>) -> Box<Refusal> {
    refusal.key = Some(way.to_owned());
    refusal
}

fn lookup<'a>(name: &str, environment: &'a [(OsString, OsString)]) -> Option<&'a OsStr> {
    let found = environment
        .iter()
        .rev()
        .find(|(key, _)| key.as_os_str() == OsStr::new(name));
    found.map(|(_, value)| value.as_os_str())
}

fn from_environment(
    name: &str,
    environment: &[(OsString, OsString)],
) -> Result<SecretString, Box<Refusal>> {
    let is_name = !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !is_name {
        // Perhaps the secret itself was put here.
        let mut refusal = Refusal::new(
            "names no environment variable",
            "`env` holds the name of a variable, such as `NIGHTSCOUT_TOKEN`, not the secret",
        );
        refusal.hide = vec!["env".to_owned()];
        return Err(refusal);
    }
    let hint = format!("set it before the run: `export {name}=…`");
    let Some(value) = lookup(name, environment) else {
        return Err(Refusal::new(
            format!("needs the environment variable `{name}`, which is not set"),
            hint,
        ));
    };
    match value.to_str() {
        None => Err(Refusal::new(
            format!("needs the environment variable `{name}`, which is not UTF-8"),
            hint,
        )),
        Some("") => Err(Refusal::new(
            format!("needs the environment variable `{name}`, which is empty"),
            hint,
        )),
        Some(value) => Ok(SecretString::from(value)),
    }
}

fn from_file(path: &str) -> Result<SecretString, Box<Refusal>> {
    if !Path::new(path).is_absolute() {
        let what = format!("needs an absolute path, got `{path}`");
        return Err(Refusal::new(
            what,
            "write the whole path, starting at the root",
        ));
    }
    read_secret(Path::new(path), true)
}

fn from_credential(
    name: &str,
    environment: &[(OsString, OsString)],
) -> Result<SecretString, Box<Refusal>> {
    if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\\', '\0']) {
        return Err(Refusal::new(
            "names no credential",
            "`credential` holds the name given in `LoadCredential=name:…` of the unit",
        ));
    }
    let Some(folder) = lookup("CREDENTIALS_DIRECTORY", environment).map(PathBuf::from) else {
        return Err(Refusal::new(
            format!("needs the credential `{name}`, and there are none"),
            format!("add `LoadCredential={name}:/path` to the systemd unit and run as that unit"),
        )
        .cause("`CREDENTIALS_DIRECTORY` is not set"));
    };
    if !folder.is_absolute() {
        return Err(Refusal::new(
            format!("needs the credential `{name}`, and their folder is not an absolute path"),
            "let systemd set `CREDENTIALS_DIRECTORY`",
        ));
    }
    // systemd guards the folder; with an access list its files look readable by a group.
    read_secret(&folder.join(name), false)
}

fn read_secret(path: &Path, check_mode: bool) -> Result<SecretString, Box<Refusal>> {
    let shown = path.display();
    let hint = format!(
        "put the secret there, for nobody else to read: `install -m 600 /dev/stdin {shown}`"
    );
    let failed = |error: &std::io::Error| {
        Refusal::new(
            format!("needs the file `{shown}`, which cannot be read"),
            hint.clone(),
        )
        .cause(plain(error))
    };
    // Asked before opening, because opening a pipe waits for its other end.
    let before = std::fs::metadata(path).map_err(|error| failed(&error))?;
    if !before.is_file() {
        return Err(Refusal::new(
            format!("needs the file `{shown}`, which is not a regular file"),
            hint,
        ));
    }
    let file = File::open(path).map_err(|error| failed(&error))?;
    let metadata = file.metadata().map_err(|error| failed(&error))?;
    if let (true, Some(mode)) = (check_mode, open_mode(&metadata)) {
        return Err(Refusal::new(
            format!("needs the file `{shown}`, which others can read"),
            format!("`chmod 600 {shown}`"),
        )
        .cause(format!("its mode is {mode:04o}, expected 0600 or 0400")));
    }
    let mut text = Zeroizing::new(String::new());
    let read = file.take(MAX_BYTES + 1).read_to_string(&mut text);
    read.map_err(|error| failed(&error))?;
    if text.len() as u64 > MAX_BYTES {
        return Err(Refusal::new(
            format!("needs the file `{shown}`, which is larger than 64 KiB"),
            hint,
        ));
    }
    let secret = match text.strip_suffix('\n') {
        Some(line) => line.strip_suffix('\r').unwrap_or(line),
        None => text.as_str(),
    };
    if secret.is_empty() {
        return Err(Refusal::new(
            format!("needs the file `{shown}`, which is empty"),
            hint,
        ));
    }
    Ok(SecretString::from(secret))
}

/// The permission bits, when they let others in.
#[cfg(unix)]
fn open_mode(metadata: &std::fs::Metadata) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    Some(metadata.mode() & 0o7777).filter(|mode| mode & 0o077 != 0)
}

#[cfg(not(unix))]
fn open_mode(_metadata: &std::fs::Metadata) -> Option<u32> {
    None
}

/// The reason in plain words, without the number of the system's error.
fn plain(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "you may not read it".to_owned(),
        std::io::ErrorKind::InvalidData => "it is not UTF-8 text".to_owned(),
        _ => error.to_string(),
    }
}
