//! Address of the hub, and the check that a token may be sent there.

use std::net::IpAddr;

/// True for an address whose traffic can be read on the way: `http://`, and not of this machine.
pub fn is_open(endpoint: &str) -> bool {
    let Some((scheme, rest)) = endpoint.trim().split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let place = authority.rsplit('@').next().unwrap_or_default();
    let host = match place.strip_prefix('[') {
        Some(address) => address.split(']').next(),
        None => place.split(':').next(),
    };
    let host = host.unwrap_or_default();
    let is_here =
        host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
    scheme.eq_ignore_ascii_case("http") && !is_here
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_may_be_spoken_to_in_clear() {
        for closed in [
            "https://huggingface.co",
            "http://localhost:8080",
            "http://LOCALHOST/",
            "http://127.0.0.1:1234/mirror",
            "http://127.5.5.5",
            "http://[::1]:80",
            "HTTPS://mirror.example",
        ] {
            assert!(!is_open(closed), "{closed}");
        }
        for open in [
            "http://huggingface.co",
            "HTTP://mirror.example:8080/x",
            "http://localhost.example",
            "http://127.0.0.1@mirror.example",
            "http://mirror.example/127.0.0.1",
            "http://[2001:db8::1]:80",
            "http://",
        ] {
            assert!(is_open(open), "{open}");
        }
    }
}
