//! Who asks: the administrator's token, a service account's, or whom one of them stands in for.

use http::HeaderMap;
use serde_json::{Value, json};

use super::Api;
use super::rbac::{self, Wanted};
use super::status::Status;
use crate::http::bearer;
use crate::objects::object;

/// The user behind the administrator's token.
pub(crate) const ADMIN: &str = "sim-admin";
/// The group that may do everything.
pub(crate) const MASTERS: &str = "system:masters";
/// The group of everybody who is known.
pub(crate) const AUTHENTICATED: &str = "system:authenticated";

/// Somebody who asks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Caller {
    pub name: String,
    pub uid: String,
    pub groups: Vec<String>,
    /// More, as (key, values).
    pub extra: Vec<(String, Vec<String>)>,
}

impl Caller {
    /// Whoever has the administrator's token.
    pub(crate) fn admin() -> Self {
        let groups = [MASTERS, AUTHENTICATED].map(str::to_owned).to_vec();
        Self { name: ADMIN.to_owned(), groups, ..Self::default() }
    }

    /// A service account.
    pub(crate) fn account(namespace: &str, name: &str, uid: String) -> Self {
        let groups = vec![
            "system:serviceaccounts".to_owned(),
            format!("system:serviceaccounts:{namespace}"),
            AUTHENTICATED.to_owned(),
        ];
        let name = format!("system:serviceaccount:{namespace}:{name}");
        Self { name, uid, groups, ..Self::default() }
    }

    /// The aggregator itself, when it probes.
    pub(crate) fn aggregator() -> Self {
        let groups = vec![MASTERS.to_owned()];
        Self { name: "system:kube-aggregator".to_owned(), groups, ..Self::default() }
    }

    /// Whether nobody has to be asked what they may.
    pub(crate) fn is_master(&self) -> bool {
        self.groups.iter().any(|group| group == MASTERS)
    }

    /// As reviews show it.
    pub(crate) fn json(&self) -> Value {
        let mut json = json!({ "username": self.name, "groups": self.groups });
        if !self.uid.is_empty() {
            json["uid"] = self.uid.clone().into();
        }
        if !self.extra.is_empty() {
            let mut pairs = self.extra.iter().map(|(key, values)| (key.clone(), json!(values)));
            json["extra"] = object(&mut pairs);
        }
        json
    }
}

impl Api {
    /// Who sends these headers, and showed a certificate before; over the plain port everybody is the administrator.
    pub(super) fn caller(
        &self,
        secure: bool,
        shown: Option<&Caller>,
        headers: &HeaderMap,
    ) -> Result<Caller, Status> {
        let caller = match (shown, bearer(headers)) {
            _ if !secure => Caller::admin(),
            (Some(shown), _) => shown.clone(),
            (None, Some(token)) => self.owner(token).ok_or_else(Status::unauthorized)?,
            (None, None) => return Err(Status::unauthorized()),
        };
        let texts = |name: &str| -> Vec<String> {
            let values = headers.get_all(name).into_iter();
            values.filter_map(|value| value.to_str().ok()).map(str::to_owned).collect()
        };
        let Some(name) = texts("impersonate-user").into_iter().next() else { return Ok(caller) };
        let wanted =
            Wanted { verb: "impersonate", resource: "users", name: &name, ..Wanted::default() };
        rbac::demand(&self.store, &caller, &wanted)?;
        let mut groups = texts("impersonate-group");
        if !groups.iter().any(|group| group == AUTHENTICATED) {
            groups.push(AUTHENTICATED.to_owned());
        }
        Ok(Caller { name, groups, ..Caller::default() })
    }

    /// Whose token it is, as long as it is good.
    pub(super) fn owner(&self, token: &str) -> Option<Caller> {
        if self.admins.takes(Some(token)) {
            return Some(Caller::admin());
        }
        let now = (self.now)().secs();
        let issued = || self.issuer.as_ref()?.owner(token, now);
        self.tokens.owner(token, now).or_else(issued)
    }
}
