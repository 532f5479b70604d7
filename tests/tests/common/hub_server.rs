//! A hub on this machine: one model, the answers that the true one gives, and the ways in which they can go wrong.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, mpsc};

use sha1::Sha1;
use sha2::{Digest, Sha256};

/// The repository that it serves.
pub const REPOSITORY: &str = "photos/My-Model";

/// What goes wrong.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    None,
    /// Every answer has this status.
    Status(u16),
    /// Of the content of this file comes half; then the connection ends.
    Break(&'static str),
    /// Of the content of this file comes half; then nothing for as long as the client waits.
    Stall(&'static str),
    /// The content of this file has one other byte.
    Damage(&'static str),
    /// This file is said to be larger than any disk.
    Huge(&'static str),
}

/// A request for the content of a file or the description of the model.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    pub path: String,
    pub range: String,
    pub token: Option<String>,
}

struct State {
    files: BTreeMap<String, Vec<u8>>,
    commit: String,
    fault: Fault,
    requests: Vec<Request>,
}

/// The server; its threads end with the process.
pub struct Hub {
    pub endpoint: String,
    state: Arc<Mutex<State>>,
    stalled: Receiver<()>,
}

impl Hub {
    /// Serves these files.
    pub fn new(files: BTreeMap<String, Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let state = State { files, commit: "c0ffee".into(), fault: Fault::None, requests: Vec::new() };
        let state = Arc::new(Mutex::new(state));
        let (tell, stalled) = mpsc::channel();
        let (shared, address) = (state.clone(), endpoint.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (state, address, tell) = (shared.clone(), address.clone(), tell.clone());
                // A client that goes away while it is answered is no failure of the test.
                std::thread::spawn(move || drop(answer(stream.unwrap(), &state, &address, &tell)));
            }
        });
        Self { endpoint, state, stalled }
    }

    pub fn set_fault(&self, fault: Fault) {
        self.state.lock().unwrap().fault = fault;
    }

    /// A new commit, in which one file differs.
    pub fn commit(&self, commit: &str, file: &str, content: &[u8]) {
        let mut state = self.state.lock().unwrap();
        state.commit = commit.into();
        state.files.insert(file.into(), content.into());
    }

    /// The requests since the last call.
    pub fn requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.state.lock().unwrap().requests)
    }

    /// Waits until a client has been left waiting.
    pub fn wait_for_stall(&self) {
        self.stalled.recv_timeout(std::time::Duration::from_secs(60)).unwrap();
    }
}

fn answer(
    mut stream: TcpStream,
    state: &Mutex<State>,
    endpoint: &str,
    stalled: &mpsc::Sender<()>,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let Some(first) = lines.next() else { return Ok(()) };
    let path = first?.split(' ').nth(1).unwrap().to_owned();
    let mut headers = BTreeMap::new();
    for line in lines {
        let line = line?;
        let Some((name, value)) = line.split_once(": ") else { break };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let range = headers.get("range").cloned().unwrap_or_default();
    let token = headers.get("authorization").cloned();
    let (fault, commit, files) = {
        let mut state = state.lock().unwrap();
        state.requests.push(Request { path: path.clone(), range: range.clone(), token });
        (state.fault.clone(), state.commit.clone(), state.files.clone())
    };
    if let Fault::Status(status) = fault {
        return respond(&mut stream, status, "", b"{}");
    }
    if path.starts_with(&format!("/api/models/{REPOSITORY}/revision/")) {
        let siblings: Vec<_> = files.keys().map(|name| serde_json::json!({ "rfilename": name })).collect();
        let text = serde_json::json!({ "sha": commit, "siblings": siblings }).to_string();
        return respond(&mut stream, 200, "", text.as_bytes());
    }
    // Large files lie elsewhere, as on the true hub.
    let resolved = path.strip_prefix(&format!("/{REPOSITORY}/resolve/{commit}/"));
    let stored = path.strip_prefix("/stored/");
    let Some((name, content)) = resolved.or(stored).and_then(|name| Some((name, files.get(name)?))) else {
        return respond(&mut stream, 404, "", b"");
    };
    let sum = hexadecimal(&Sha256::digest(content));
    // As `git hash-object` names a content.
    let in_git =
        hexadecimal(&Sha1::new_with_prefix(format!("blob {}\0", content.len())).chain_update(content).finalize());
    if resolved.is_some() && name.ends_with(".safetensors") {
        let more = format!(
            "Location: {endpoint}/stored/{name}\r\nX-Linked-ETag: \"{sum}\"\r\nETag: \"of the pointer\"\r\n\
             X-Repo-Commit: {commit}\r\n"
        );
        return respond(&mut stream, 302, &more, b"");
    }
    let (start, end) = range.strip_prefix("bytes=").and_then(|range| range.split_once('-')).unwrap();
    let start: usize = start.parse().unwrap();
    let end = end.parse().map_or(content.len(), |last: usize| last + 1);
    if start >= content.len() {
        return respond(&mut stream, 416, "", b"");
    }
    let mut body = content[start..end].to_vec();
    let is_huge = matches!(fault, Fault::Huge(huge) if huge == name);
    let size = if is_huge { 1 << 60 } else { content.len() };
    let more = format!(
        "Content-Range: bytes {start}-{}/{size}\r\nETag: \"{in_git}\"\r\nX-Repo-Commit: {commit}\r\n",
        end - 1,
    );
    let whole = end == content.len() && body.len() > 1;
    match fault {
        Fault::Damage(damaged) if damaged == name && whole => *body.last_mut().unwrap() ^= 1,
        Fault::Break(broken) | Fault::Stall(broken) if broken == name && whole => {
            send_head(&mut stream, 206, &more, body.len())?;
            stream.write_all(&body[..body.len() / 2])?;
            stream.flush()?;
            if matches!(fault, Fault::Stall(_)) {
                stalled.send(()).unwrap();
                // Until the client goes away.
                std::io::copy(&mut stream, &mut std::io::sink())?;
            }
            return Ok(());
        }
        _ => (),
    }
    respond(&mut stream, 206, &more, &body)
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn respond(stream: &mut TcpStream, status: u16, more: &str, body: &[u8]) -> std::io::Result<()> {
    send_head(stream, status, more, body.len())?;
    stream.write_all(body)
}

fn send_head(stream: &mut TcpStream, status: u16, more: &str, length: usize) -> std::io::Result<()> {
    write!(stream, "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n{more}\r\n")
}
