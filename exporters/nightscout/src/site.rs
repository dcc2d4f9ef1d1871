//! The address of a site: what may be asked, over what, and where a redirect may lead.

use std::net::IpAddr;
use std::result::Result as StdResult;

use glucopipe_sdk::{Error, Result};
use reqwest::Url;

/// The key that an address comes from.
const KEY: &str = "url";

/// A site.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    /// Ends in `/`: the server answers `//api` with 404.
    base: Url,
    label: String,
}

impl Site {
    /// The site at an address. No message shows the address itself: it may hold a token.
    ///
    /// # Errors
    /// When it is no address of a site, or one that secrets must not travel to.
    pub(crate) fn parse(address: &str, allow_insecure: bool) -> Result<Self> {
        let refused = |what: &str| Error::config(KEY, what.to_owned());
        let mut base = Url::parse(address.trim()).map_err(|_| {
            refused("expected the address of the site, such as `https://night.example.org`")
        })?;
        if !matches!(base.scheme(), "https" | "http") || base.host_str().is_none() {
            return Err(refused("expected an address that begins with `https://`"));
        }
        if !base.username().is_empty() || base.password().is_some() {
            return Err(refused(
                "no secret belongs into an address; expected it in `api_secret` or `token`",
            ));
        }
        if base.query().is_some() || base.fragment().is_some() {
            return Err(refused(
                "expected an address without `?` and `#`; a token belongs into `token`",
            ));
        }
        let path = base.path().trim_end_matches('/').to_owned();
        if path.split('/').any(|part| part == "api") {
            return Err(refused(
                "expected the address of the site alone, without `/api`",
            ));
        }
        base.set_path(&format!("{path}/"));
        let site = Self {
            label: label(&base),
            base,
        };
        if site.is_plain() && !allow_insecure {
            return Err(refused(
                "expected `https://`: over plain http anybody on the way reads the secret and the readings; \
                 `allow_insecure = true` permits it",
            ));
        }
        Ok(site)
    }

    /// The host, and the port where it is not the usual one.
    pub(crate) fn label(&self) -> &str {
        &self.label
    }

    /// Whether the connection is encrypted.
    pub(crate) fn has_tls(&self) -> bool {
        self.base.scheme() == "https"
    }

    /// Whether the site is on this computer.
    pub(crate) fn is_loopback(&self) -> bool {
        let host = self.base.host_str().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }

    /// Whether anybody on the way could read along.
    pub(crate) fn is_plain(&self) -> bool {
        !self.has_tls() && !self.is_loopback()
    }

    /// The address of something at the site.
    pub(crate) fn address(&self, path: &str, query: &[(&str, &str)]) -> Url {
        let mut address = self.base.clone();
        address.set_path(&format!("{}{path}", self.base.path()));
        if !query.is_empty() {
            address.query_pairs_mut().extend_pairs(query);
        }
        address
    }

    /// Where a redirect from `asked` may lead: to the same host, port and scheme.
    ///
    /// # Errors
    /// Where it leads instead, in words.
    pub(crate) fn redirected(&self, asked: &Url, location: &str) -> StdResult<Url, String> {
        let target = asked
            .join(location)
            .map_err(|_| "to nowhere that can be understood".to_owned())?;
        if target.origin() != asked.origin() || !target.username().is_empty() {
            return Err(format!("to `{}://{}`", target.scheme(), label(&target)));
        }
        Ok(target)
    }
}

fn label(address: &Url) -> String {
    let host = address.host_str().unwrap_or_default();
    match address.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_with_and_without_slashes() {
        for (address, expected) in [
            (
                "https://night.example.org",
                "https://night.example.org/api/v1/x",
            ),
            (
                "https://night.example.org///",
                "https://night.example.org/api/v1/x",
            ),
            (
                " https://example.org/ns/ ",
                "https://example.org/ns/api/v1/x",
            ),
            ("http://127.0.0.1:1337", "http://127.0.0.1:1337/api/v1/x"),
            ("http://[::1]:1337/", "http://[::1]:1337/api/v1/x"),
            ("http://localhost", "http://localhost/api/v1/x"),
        ] {
            let site = Site::parse(address, false).unwrap();
            assert_eq!(site.address("api/v1/x", &[]).as_str(), expected);
        }
        let site = Site::parse("https://night.example.org", false).unwrap();
        let asked = site.address("x", &[("find[date][$gte]", "0"), ("a", "b c&d")]);
        assert_eq!(
            asked.query(),
            Some("find%5Bdate%5D%5B%24gte%5D=0&a=b+c%26d")
        );
    }

    #[test]
    fn a_bad_address_is_refused_and_never_shown() {
        for (address, word) in [
            ("", "expected the address"),
            ("night.hidden.org", "expected the address"),
            ("ftp://night.hidden.org", "https://"),
            ("https://hidden@night.example.org", "api_secret"),
            ("https://u:hidden@night.example.org", "api_secret"),
            ("https://night.example.org/?token=hidden", "`token`"),
            ("https://night.example.org/#hidden", "`token`"),
            ("https://night.example.org/api/v1/", "without `/api`"),
            ("http://night.hidden.org", "allow_insecure"),
            ("http://10.0.0.7", "allow_insecure"),
        ] {
            let error = Site::parse(address, false).unwrap_err();
            assert!(error.message.contains(word), "{address}: {error}");
            assert!(!error.message.contains("hidden"), "{error}");
            assert_eq!(error.key.as_deref(), Some(KEY));
        }
        assert!(Site::parse("http://10.0.0.7", true).is_ok());
    }

    #[test]
    fn a_redirect_stays_at_the_site() {
        let site = Site::parse("http://night.example.org", true).unwrap();
        let asked = site.address("api/v1/status.json", &[]);
        let to = |location: &str| site.redirected(&asked, location).map(String::from);
        assert_eq!(to("/x").unwrap(), "http://night.example.org/x");
        assert_eq!(
            to("http://night.example.org:80/y").unwrap(),
            "http://night.example.org/y"
        );
        for (elsewhere, shown) in [
            (
                "https://evil.example/?token=hidden",
                "to `https://evil.example`",
            ),
            (
                "https://night.example.org/x",
                "to `https://night.example.org`",
            ),
            (
                "http://night.example.org:8080/",
                "to `http://night.example.org:8080`",
            ),
            (
                "http://u@night.example.org/",
                "to `http://night.example.org`",
            ),
            ("http://[", "to nowhere that can be understood"),
        ] {
            assert_eq!(to(elsewhere).unwrap_err(), shown);
        }
    }
}
