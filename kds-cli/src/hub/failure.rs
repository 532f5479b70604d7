//! Errors of the hub, and what to do next.

use std::io::ErrorKind;

use hf_hub::api::sync::ApiError;

/// Error message and remedy for the user; `with_token` is true when a token was sent.
pub fn explain(error: &ApiError, with_token: bool) -> String {
    match error {
        ApiError::RequestError(error) => request(error, with_token),
        ApiError::IoError(error) => match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                "the disk is full; make room, or let HF_HOME name a folder on another disk, and run the command again: \
                 it goes on where it stopped"
                    .to_owned()
            }
            ErrorKind::PermissionDenied
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::NotFound
            | ErrorKind::NotADirectory => {
                format!("the cache cannot be written ({error}); let HF_HOME name a folder that can")
            }
            _ => format!("the transfer broke off ({error}); run the command again: it goes on where it stopped"),
        },
        ApiError::LockAcquisition(path) => {
            format!("another program is downloading it ({}); wait for that and run the command again", path.display())
        }
        other => format!("the answer is none of a hub ({other}); check HF_ENDPOINT"),
    }
}

/// Answers of a hub that has no such model or hides it.
pub fn is_absent(error: &ApiError) -> bool {
    matches!(error, ApiError::RequestError(error) if matches!(**error, ureq::Error::StatusCode(401 | 403 | 404 | 410)))
}

fn request(error: &ureq::Error, with_token: bool) -> String {
    match error {
        // The hub gives 401 for names it does not know, too, so as not to tell which private models there are.
        ureq::Error::StatusCode(401) if with_token => {
            "there is no such model, or the token is not good for it (401); check the name and HF_TOKEN".to_owned()
        }
        ureq::Error::StatusCode(401) => {
            "there is no such model, or it wants a token (401); check the name, or set HF_TOKEN".to_owned()
        }
        ureq::Error::StatusCode(403) => {
            "access is not granted (403); accept the model's terms on its page, and set HF_TOKEN to a token of that \
             account"
                .to_owned()
        }
        ureq::Error::StatusCode(404) => {
            "there is no such model or revision (404); check the name and what follows '@'".to_owned()
        }
        ureq::Error::StatusCode(429) => "the hub wants fewer requests (429); wait a little and try again".to_owned(),
        ureq::Error::StatusCode(status @ 500..) => format!("the hub is in trouble ({status}); try again later"),
        ureq::Error::StatusCode(status) => format!("the hub refuses ({status}); check the name and HF_ENDPOINT"),
        other => format!(
            "the hub cannot be reached ({other}); check the connection and HF_ENDPOINT, or set HF_HUB_OFFLINE=1 to use \
             what was downloaded before"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_is_a_line_that_says_what_to_do() {
        let status = |status| ApiError::RequestError(Box::new(ureq::Error::StatusCode(status)));
        let file = |kind: ErrorKind| ApiError::IoError(kind.into());
        let table = [
            (status(401), "set HF_TOKEN"),
            (status(403), "accept the model's terms"),
            (status(404), "check the name"),
            (status(429), "wait"),
            (status(503), "try again later"),
            (status(400), "check the name"),
            (ApiError::RequestError(Box::new(ureq::Error::HostNotFound)), "HF_HUB_OFFLINE"),
            (file(ErrorKind::StorageFull), "make room"),
            (file(ErrorKind::PermissionDenied), "HF_HOME"),
            (file(ErrorKind::NotADirectory), "HF_HOME"),
            (file(ErrorKind::UnexpectedEof), "run the command again"),
            (ApiError::LockAcquisition("x".into()), "wait"),
            (ApiError::MissingHeader("etag"), "HF_ENDPOINT"),
        ];
        for (error, expected) in table {
            let text = explain(&error, false);
            assert!(text.contains(expected) && !text.contains('\n'), "{expected}: {text}");
        }
        assert!(explain(&status(401), true).contains("the token is not good"));
    }
}
