//! What each key does.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::state::State;
use crate::{SortBy, Subject};

/// What a key asks of the view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// The screen is drawn again, no more.
    Nothing,
    /// Something else is to be seen: read it now.
    Read,
    /// The end.
    Quit,
}

/// Every key with what it does, for the help.
pub(super) const KEYS: &[(&str, &str)] = &[
    ("1 2 3 4 5", "nodes, namespaces, workloads, pods, containers"),
    ("Tab, Shift+Tab", "next, previous list"),
    ("↑ ↓ j k", "choose a row"),
    ("PgUp PgDn", "a screen further"),
    ("Home End g G", "first, last row"),
    ("Enter →", "go into the chosen row"),
    ("Esc ← Backspace", "back"),
    ("n c m t r p", "sort by name, CPU, memory, network, restarts, pods; again: reversed"),
    ("/", "show names that hold a text; Enter ends typing, Esc clears"),
    ("Space", "pause, go on"),
    ("?", "this help"),
    ("q Ctrl+C", "quit"),
];

pub(super) fn press(state: &mut State, key: KeyEvent) -> Effect {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    if control && matches!(key.code, KeyCode::Char('c' | 'd')) {
        return Effect::Quit;
    }
    if state.typing {
        return write(state, key.code);
    }
    if state.help {
        state.help = false;
        return if key.code == KeyCode::Char('q') { Effect::Quit } else { Effect::Nothing };
    }
    match key.code {
        KeyCode::Char('q') => Effect::Quit,
        KeyCode::Char('?') => {
            state.help = true;
            Effect::Nothing
        }
        KeyCode::Char(' ') => {
            state.paused = !state.paused;
            if state.paused { Effect::Nothing } else { Effect::Read }
        }
        KeyCode::Char('/') => {
            state.typing = true;
            Effect::Nothing
        }
        KeyCode::Char(digit @ '1'..='5') => list(state, digit as usize - '1' as usize),
        KeyCode::Tab => list(state, (tab(state) + 1) % Subject::ALL.len()),
        KeyCode::BackTab => list(state, (tab(state) + Subject::ALL.len() - 1) % Subject::ALL.len()),
        KeyCode::Enter | KeyCode::Right => read_if(state.enter()),
        KeyCode::Esc if !state.place().filters.search.is_empty() => {
            state.search(String::clear);
            Effect::Read
        }
        KeyCode::Esc | KeyCode::Left | KeyCode::Backspace => read_if(state.back()),
        code => walk(state, code).or_else(|| order(state, code)).unwrap_or(Effect::Nothing),
    }
}

/// A key while the filter is typed.
fn write(state: &mut State, code: KeyCode) -> Effect {
    match code {
        KeyCode::Char(character) => state.search(|text| text.push(character)),
        KeyCode::Backspace => {
            state.search(|text| {
                text.pop();
            });
        }
        KeyCode::Esc => {
            state.typing = false;
            state.search(String::clear);
        }
        KeyCode::Enter => {
            state.typing = false;
            return Effect::Nothing;
        }
        _ => return Effect::Nothing,
    }
    Effect::Read
}

fn tab(state: &State) -> usize {
    let subject = state.place().subject;
    Subject::ALL.iter().position(|one| *one == subject).unwrap_or(0)
}

fn list(state: &mut State, tab: usize) -> Effect {
    state.list(Subject::ALL[tab]);
    Effect::Read
}

/// Keys that choose a row.
fn walk(state: &mut State, code: KeyCode) -> Option<Effect> {
    let (chosen, height) = (state.place().chosen, state.height.max(2) - 1);
    let position = match code {
        KeyCode::Up | KeyCode::Char('k') => chosen.saturating_sub(1),
        KeyCode::Down | KeyCode::Char('j') => chosen + 1,
        KeyCode::PageUp => chosen.saturating_sub(height),
        KeyCode::PageDown => chosen + height,
        KeyCode::Home | KeyCode::Char('g') => 0,
        KeyCode::End | KeyCode::Char('G') => usize::MAX,
        _ => return None,
    };
    Some(read_if(state.move_to(position)))
}

/// Keys that sort.
fn order(state: &mut State, code: KeyCode) -> Option<Effect> {
    let by = match code {
        KeyCode::Char('n') => SortBy::Name,
        KeyCode::Char('c') => SortBy::Cpu,
        KeyCode::Char('m') => SortBy::Memory,
        KeyCode::Char('t') => SortBy::Network,
        KeyCode::Char('r') => SortBy::Restarts,
        KeyCode::Char('p') => SortBy::Pods,
        _ => return None,
    };
    Some(read_if(state.sort(by)))
}

fn read_if(something_else_is_seen: bool) -> Effect {
    if something_else_is_seen { Effect::Read } else { Effect::Nothing }
}
