//! From the author's traits to the generated ones.

use std::marker::PhantomData;

/// Exports a type's abilities from the component: `export!(MyComponent: about, sink, directory, grants);`
///
/// The names are those of the contract's interfaces: `about`, `webhook`, `connection`, `pull`, `commands`, `sink`,
/// `directory`, `grants`, `setup`, `endpoint`. Used once in a component. In a native build it checks that the type has each
/// trait, and does nothing.
#[macro_export]
macro_rules! export {
    ($component:ty: $($ability:ident),+ $(,)?) => {
        const _: () = {
            $($crate::__ability!($ability $component);)+
        };
        #[cfg(target_family = "wasm")]
        #[allow(unsafe_code)]
        const _: () = {
            type Exported = $crate::Exported<$component>;
            $($crate::bindings::$ability::export!(Exported with_types_in $crate::bindings::$ability);)+
        };
    };
}

/// Fails to compile, with the trait's name, when a component lacks an ability that it wants to export.
#[doc(hidden)]
#[macro_export]
macro_rules! __ability {
    (about $component:ty) => { $crate::__has!($component: About); };
    (webhook $component:ty) => { $crate::__has!($component: Webhook); };
    (connection $component:ty) => { $crate::__has!($component: Connection); };
    (pull $component:ty) => { $crate::__has!($component: Pull); };
    (commands $component:ty) => { $crate::__has!($component: Commands); };
    (sink $component:ty) => { $crate::__has!($component: Sink); };
    (directory $component:ty) => { $crate::__has!($component: Directory); };
    (grants $component:ty) => { $crate::__has!($component: Grants); };
    (setup $component:ty) => { $crate::__has!($component: Setup); };
    (endpoint $component:ty) => { $crate::__has!($component: Endpoint); };
    ($other:ident $component:ty) => {
        compile_error!(concat!("`", stringify!($other), "` is no interface of the contract; there are about, webhook, \
            connection, pull, commands, sink, directory, grants, setup, endpoint"));
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __has {
    ($component:ty: $trait:ident) => {
        const _: fn() = || {
            fn has<T: $crate::abilities::$trait>() {}
            has::<$component>();
        };
    };
}

/// Carries a component's type through the generated export macros.
#[doc(hidden)]
pub struct Exported<T>(PhantomData<T>);

#[cfg(target_family = "wasm")]
mod guests {
    use std::cell::RefCell;

    use super::Exported;
    use crate::abilities::*;
    use crate::bindings::{about, commands, connection, directory, endpoint, grants, pull, setup, sink, webhook};
    use crate::hub::Hub;
    use crate::vocabulary::{Command, Failure, Grant, Incoming, Instant, Job, Phone};

    impl<T: About> about::exports::cordboard::hub::about::Guest for Exported<T> {
        fn describe() -> Descriptor {
            T::describe()
        }
    }

    impl<T: Webhook> webhook::exports::cordboard::hub::webhook::Guest for Exported<T> {
        fn receive(request: Incoming) -> Result<Accepted, Refusal> {
            T::receive(&Hub::default(), request)
        }
    }

    /// A connection's session behind the shared reference that the generated trait gives.
    pub struct Shared<T>(RefCell<T>);

    impl<T: Connection + 'static> connection::exports::cordboard::hub::connection::Guest for Exported<T> {
        type Session = Shared<T::Session>;

        fn target() -> Result<Address, Failure> {
            T::target(&Hub::default())
        }
    }

    impl<D: Dialog> connection::exports::cordboard::hub::connection::GuestSession for Shared<D> {
        fn new() -> Self {
            Self(RefCell::new(D::begin(&Hub::default())))
        }

        fn handle(&self, now: Instant, inputs: Vec<Input>) -> Vec<Action> {
            self.0.borrow_mut().handle(&Hub::default(), now, inputs)
        }
    }

    impl<T: Pull> pull::exports::cordboard::hub::pull::Guest for Exported<T> {
        fn begin() -> Vec<Job> {
            T::begin(&Hub::default())
        }

        fn next(job: Job, cursor: Option<Vec<u8>>) -> Result<Page, Failure> {
            T::next(&Hub::default(), job, cursor)
        }
    }

    impl<T: Commands> commands::exports::cordboard::hub::commands::Guest for Exported<T> {
        fn perform(command: Command) -> Performed {
            T::perform(&Hub::default(), command)
        }
    }

    impl<T: Sink> sink::exports::cordboard::hub::sink::Guest for Exported<T> {
        fn deliver(changes: Vec<Change>) -> Vec<Outcome> {
            T::deliver(&Hub::default(), changes)
        }

        fn check() -> Result<Vec<String>, Failure> {
            T::check(&Hub::default())
        }
    }

    impl<T: Directory> directory::exports::cordboard::hub::directory::Guest for Exported<T> {
        fn find(phone: Phone) -> Result<Vec<Match>, Failure> {
            T::find(&Hub::default(), phone)
        }
    }

    impl<T: Grants> grants::exports::cordboard::hub::grants::Guest for Exported<T> {
        fn issue(previous: Option<Grant>) -> Result<Grant, Failure> {
            T::issue(&Hub::default(), previous)
        }
    }

    impl<T: Setup> setup::exports::cordboard::hub::setup::Guest for Exported<T> {
        fn plan(endpoint: Option<String>) -> Result<Vec<Step>, Failure> {
            T::plan(&Hub::default(), endpoint)
        }

        fn make(step: Step) -> Result<Option<String>, Failure> {
            T::make(&Hub::default(), step)
        }
    }

    impl<T: Endpoint> endpoint::exports::cordboard::hub::endpoint::Guest for Exported<T> {
        fn handle(request: Incoming) -> Answer {
            T::handle(&Hub::default(), request)
        }
    }
}
