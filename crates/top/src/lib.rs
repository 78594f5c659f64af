//! Usage in a terminal: tables like `kubectl top`, and a full-screen view with history.
//!
//! An ordinary client of Taffrail's own API (docs/API.md), reached through [`Api`]; knows neither
//! sockets nor what is behind them.
#![forbid(unsafe_code)]

mod api;
mod figure;
mod list;
mod past;
mod row;
mod screen;
mod subject;
mod table;
mod wire;

pub use api::{Answer, Api, Error};
pub use list::{All, Filters, Order, Page, SortBy, all, page};
pub use row::Row;
pub use screen::{Options as ScreenOptions, run as full_screen};
pub use subject::Subject;
pub use table::{TableOptions, table};
