//! `GET /objects/rights/…`: what the person may do with an object, by the API server's word.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use futures_util::future::try_join_all;
use serde_json::{Map, Value, json};

use super::kinds;
use super::place::Place;
use super::{Asking, person, respond};
use crate::ApiState;
use crate::people::upstream::{Wanted, may};

/// Workloads whose pods are made anew by a changed template.
const ROLLED: [&str; 3] = ["deployments", "statefulsets", "daemonsets"];

/// What an action takes: verb, group, resource, subresource.
type Takes = (&'static str, String, String, &'static str);

/// The actions that a kind has, and what each takes.
fn actions(place: &Place, scalable: bool) -> Vec<(&'static str, Vec<Takes>)> {
    let (group, plural) = (place.kind.group.clone(), place.kind.plural.clone());
    let own = |verb: &'static str, part: &'static str| (verb, group.clone(), plural.clone(), part);
    let core = |verb: &'static str, plural: &str, part: &'static str| {
        (verb, String::new(), plural.to_owned(), part)
    };
    let mut found = vec![("edit", vec![own("update", "")]), ("delete", vec![own("delete", "")])];
    if scalable {
        found.push(("scale", vec![own("patch", "scale")]));
    }
    match (group.as_str(), plural.as_str()) {
        ("apps", rolled) if ROLLED.contains(&rolled) => {
            found.push(("restart", vec![own("patch", "")]));
            found.push(("rollback", vec![own("patch", "")]));
        }
        ("batch", "cronjobs") => {
            found.push(("suspend", vec![own("patch", "")]));
            let jobs = ("create", group.clone(), "jobs".to_owned(), "");
            found.push(("trigger", vec![jobs]));
        }
        ("", "nodes") => {
            found.push(("cordon", vec![own("patch", "")]));
            let evict = core("create", "pods", "eviction");
            found.push(("drain", vec![own("patch", ""), core("list", "pods", ""), evict]));
        }
        ("", "pods") => {
            found.push(("logs", vec![core("get", "pods", "log")]));
            found.push(("exec", vec![core("create", "pods", "exec")]));
        }
        _ => {}
    }
    if ROLLED.contains(&plural.as_str()) || matches!(plural.as_str(), "replicasets" | "jobs") {
        found.push(("logs", vec![core("list", "pods", ""), core("get", "pods", "log")]));
    }
    found
}

/// Actions that change nothing.
const READING: [&str; 1] = ["logs"];

pub(super) async fn rights(
    State(state): State<Arc<ApiState>>,
    Path(parts): Path<(String, String, String, String, String)>,
    session: Asking,
) -> Response {
    let answer = async {
        let session = person(session)?;
        let place = Place::read(parts)?;
        let known = kinds::discovered(&session, state.now()).await?;
        let kind = known.at(&place.kind);
        let scalable = kind.is_some_and(|kind| kind.subresources.iter().any(|one| one == "scale"));
        let wanted = actions(&place, scalable);
        let asked = wanted.iter().map(|(action, takes)| {
            let (session, place) = (&session, &place);
            async move {
                let all = try_join_all(takes.iter().map(|(verb, group, resource, subresource)| {
                    let own = *group == place.kind.group && *resource == place.kind.plural;
                    may(
                        &*session.person,
                        Wanted {
                            verb,
                            group,
                            resource,
                            subresource,
                            namespace: &place.namespace,
                            name: if own { &place.name } else { "" },
                        },
                    )
                }));
                Ok::<_, crate::people::Refusal>((*action, all.await?.into_iter().all(|may| may)))
            }
        });
        let answers = try_join_all(asked).await?;
        let mut rights = Map::new();
        for (action, allowed) in answers {
            let allowed = allowed && (!state.people.read_only || READING.contains(&action));
            rights.insert(action.to_owned(), Value::from(allowed));
        }
        Ok(Json(json!({ "actions": rights })).into_response())
    };
    respond(answer.await)
}
