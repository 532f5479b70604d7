//! Results, and models with their settings: hosts render a frame several times, and some make an effect anew for each.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use kds_plugin_nodes::{ImageRef, Node, Packed, Task};

/// Bytes of results that are kept. The last one is, whatever its size.
const ROOM: usize = 256 << 20;
/// Number of nodes that are kept.
const NODES: usize = 4;

/// A node with the settings that it was opened with.
type Kept = ((Task, Vec<(String, String)>), Arc<Node>);

static RESULTS: Mutex<Vec<(Key, Arc<Packed>)>> = Mutex::new(Vec::new());
static OPEN: Mutex<Vec<Kept>> = Mutex::new(Vec::new());
static TURN: Mutex<()> = Mutex::new(());

/// A request: pixels, mask, task and settings. Two that differ have the same key once in 2^64 times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key(u64);

impl Key {
    pub fn new(task: Task, settings: &[(String, String)], picture: &ImageRef<'_>, mask: Option<&ImageRef<'_>>) -> Self {
        let mut hasher = DefaultHasher::new();
        (task.name(), settings).hash(&mut hasher);
        for picture in [Some(picture), mask].into_iter().flatten() {
            let meaning = format!("{:?} {:?} {:?}", picture.format(), picture.alpha(), picture.light());
            (meaning, picture.size()).hash(&mut hasher);
            picture.rows().for_each(|row| row.hash(&mut hasher));
        }
        Self(hasher.finish())
    }
}

/// The result of a request that was made before.
pub fn result(key: Key) -> Option<Arc<Packed>> {
    let mut results = locked(&RESULTS);
    let index = results.iter().position(|(of, _)| *of == key)?;
    // The last one is the youngest.
    let found = results.remove(index);
    let result = found.1.clone();
    results.push(found);
    Some(result)
}

/// Keeps a result, and gives up the oldest where there is no room.
pub fn keep(key: Key, result: &Arc<Packed>) {
    let mut results = locked(&RESULTS);
    results.push((key, result.clone()));
    let mut size: usize = results.iter().map(|(_, result)| result.bytes().len()).sum();
    while size > ROOM && results.len() > 1 {
        size -= results.remove(0).1.bytes().len();
    }
}

/// The node of a task with these settings, opened when it is first asked for.
///
/// # Errors
/// Where it cannot be opened; the next request tries again.
pub fn node(task: Task, settings: Vec<(String, String)>) -> Result<Arc<Node>, kds_plugin_nodes::Error> {
    let wanted = (task, settings);
    let mut open = locked(&OPEN);
    if let Some((_, node)) = open.iter().find(|(of, _)| *of == wanted) {
        return Ok(node.clone());
    }
    let node = Arc::new(Node::open(task, wanted.1.clone())?);
    if open.len() == NODES {
        open.remove(0);
    }
    open.push((wanted, node.clone()));
    Ok(node)
}

/// Waits until no other request computes, so that two for the same frame compute it once; none if the request is given up.
pub fn turn(is_given_up: impl Fn() -> bool) -> Option<MutexGuard<'static, ()>> {
    loop {
        match TURN.try_lock() {
            Ok(turn) => return Some(turn),
            Err(TryLockError::Poisoned(turn)) => return Some(turn.into_inner()),
            Err(TryLockError::WouldBlock) if is_given_up() => return None,
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

/// Gives up all that is kept.
pub fn clear() {
    locked(&RESULTS).clear();
    locked(&OPEN).clear();
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use kds_plugin_nodes::{Channels, Depth, Format, Light};

    use super::*;

    fn picture(value: u8) -> Packed {
        let mut picture = Packed::new(Format { channels: Channels::Gray, depth: Depth::U8 }, 3, 2).unwrap();
        picture.bytes_mut()[4] = value;
        picture
    }

    #[test]
    fn a_request_is_known_by_all_that_it_is_made_of() {
        let settings = [("seed".to_owned(), "5".to_owned())];
        let key_of = |task, settings: &[_], value, mask: Option<u8>| {
            let (picture, mask) = (picture(value), mask.map(picture));
            let mask = mask.as_ref().map(|mask| mask.view().unwrap());
            Key::new(task, settings, &picture.view().unwrap(), mask.as_ref())
        };
        let key = |value, mask| key_of(Task::Restore, &settings, value, mask);
        let keys = [
            key(1, None),
            key(2, None),
            key(1, Some(1)),
            key(1, Some(2)),
            key_of(Task::Inpaint, &settings, 1, None),
            key_of(Task::Restore, &[], 1, None),
            Key::new(Task::Restore, &settings, &picture(1).view().unwrap().with_light(Light::Linear), None),
        ];
        for (index, one) in keys.iter().enumerate() {
            assert!(keys[index + 1..].iter().all(|other| other != one));
        }
        assert_eq!(keys[0], key(1, None));
        assert!(result(keys[0]).is_none());
        keep(keys[0], &Arc::new(picture(9)));
        assert_eq!(result(keys[0]).unwrap().bytes()[4], 9);
        assert!(result(keys[1]).is_none());
    }
}
