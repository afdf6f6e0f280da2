//! Settings, found by their type.

use crate::sync::Mutex;
use alloc::sync::Arc;
use core::any::{Any, TypeId};
use std::collections::HashMap;

type Values = HashMap<TypeId, Arc<dyn Any + Send + Sync>>;

/// At most one value of each type.
#[derive(Debug, Default)]
pub(super) struct Settings(Mutex<Values>);

impl Settings {
    pub(super) fn set<T: Send + Sync + 'static>(&self, value: T) {
        self.0.lock().insert(TypeId::of::<T>(), Arc::new(value));
    }

    pub(super) fn get<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        let value = self.0.lock().get(&TypeId::of::<T>()).cloned();
        value.and_then(|value| value.downcast().ok())
    }

    pub(super) fn remove<T: Send + Sync + 'static>(&self) {
        self.0.lock().remove(&TypeId::of::<T>());
    }
}
