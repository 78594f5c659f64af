//! What kubelets and the API server put on the wire, in the few fields that are read.

pub mod cadvisor;
pub mod event;
pub mod object;
pub mod resource;
pub mod summary;
