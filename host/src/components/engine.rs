//! The one constructor of the engine, every number with its reason, and the clock that interrupts components.

use std::time::Duration;

use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig};

use super::runtime::{RuntimeError, RuntimeOptions};

/// How often a running component is interrupted: to look at its deadline and budgets, and to let others have the
/// thread. A call that only decodes is done a hundred times over before the first tick.
pub(super) const TICK: Duration = Duration::from_millis(2);

/// Stack for the component's own calls. The deepest seen is Python's parser with some 300 KiB.
pub(super) const STACK: usize = 1 << 20;

/// Core instances in one component. Python's libraries come as some thirty modules.
const CORE_INSTANCES: u32 = 100;

/// The largest memory that any use may be given; what a use does get is in its limits.
const MEMORY: usize = 1 << 30;

/// The largest table that any use may be given, see above.
const TABLE: usize = 1 << 20;

pub(super) fn engine(options: &RuntimeOptions) -> Result<Engine, RuntimeError> {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(options.instances)
        .total_core_instances(options.instances.saturating_mul(CORE_INSTANCES))
        .total_memories(options.instances.saturating_mul(2))
        .total_tables(options.instances.saturating_mul(8))
        .total_stacks(options.instances)
        .max_core_instances_per_component(CORE_INSTANCES)
        .max_memories_per_component(4)
        .max_tables_per_component(CORE_INSTANCES)
        // Metadata of one instance; that of a JavaScript component is some 100 KiB.
        .max_component_instance_size(4 << 20)
        .max_core_instance_size(4 << 20)
        .max_memory_size(MEMORY)
        .table_elements(TABLE)
        // Slots that stay warm when nobody uses them: as many as two cores keep busy, several times over.
        .max_unused_warm_slots(32)
        // Clearing a small memory by writing zeros is cheaper than giving it back to the system, which stops all
        // other threads for a moment. What this keeps resident is bounded by the warm slots: 8 MiB.
        .linear_memory_keep_resident(256 << 10)
        .table_keep_resident(64 << 10)
        .pagemap_scan(Enabled::Auto);

    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .epoch_interruption(true)
        .max_wasm_stack(STACK)
        // The component's own stack and as much again for the hub's functions that run on it.
        .async_stack_size(2 * STACK)
        // A component cannot read the stack that another one left behind, so there is nothing to hide by zeroing.
        .async_stack_zeroing(false)
        .cranelift_opt_level(OptLevel::Speed)
        .parallel_compilation(true)
        .memory_init_cow(true)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    let engine = Engine::new(&config).map_err(|error| RuntimeError::Engine(format!("{error:#}")))?;
    tick(&engine)?;
    Ok(engine)
}

/// A thread of its own: it must tick also while every worker thread runs a component. It ends with the engine.
fn tick(engine: &Engine) -> Result<(), RuntimeError> {
    let engine = engine.weak();
    let ticking = move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    };
    std::thread::Builder::new()
        .name("component-clock".into())
        .spawn(ticking)
        .map(drop)
        .map_err(|error| RuntimeError::Engine(format!("its clock cannot be started: {error}")))
}
