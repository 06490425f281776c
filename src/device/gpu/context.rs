//! The adapter, the device, and what belongs to it.

use super::fault::Fault;
use super::pace::Pace;
use super::pool::{Buffer, Pool};
use super::record::Recorder;
use super::shader::Kernel;
use crate::base::{Error, Result};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

/// Chromium refuses larger bindings whatever the adapter says.
const MAX_BINDING: u64 = 2 << 30;

pub(super) struct Context {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    pub(super) limits: wgpu::Limits,
    pub(super) name: String,
    pub(super) backend: String,
    /// Whether the adapter is a program on the CPU: barriers are slow there, and so is everything else.
    pub(super) software: bool,
    pub(super) fault: Fault,
    pub(super) pool: Rc<Pool>,
    /// Bound where an optional operand is absent.
    pub(super) nothing: Buffer,
    pub(super) recorder: RefCell<Recorder>,
    pub(super) pace: RefCell<Pace>,
    pipelines: RefCell<HashMap<Kernel, Rc<Pipeline>>>,
    max_binding: Cell<u64>,
    tiling: Cell<Tiling>,
}

/// Which kernels to take where there are several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tiling {
    /// Without workgroup memory: barriers are the slow path of software adapters.
    Direct,
    /// With tiles in workgroup memory, whose size depends on the matrix.
    Tiled,
    /// With the large tiles, whatever the matrix; for tests.
    #[cfg(test)]
    Large,
}

pub(super) struct Pipeline {
    pub(super) raw: wgpu::ComputePipeline,
    pub(super) layout: wgpu::BindGroupLayout,
}

impl Context {
    pub(super) async fn open() -> Result<Self> {
        let adapter = adapter(&wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle())).await?;
        let (device, queue) = match request(&adapter, adapter.limits()).await {
            Ok(opened) => opened,
            // Some drivers refuse the limits that they themselves report.
            Err(_) => request(&adapter, wgpu::Limits::default()).await.map_err(|reason| {
                Error::device(format!("The GPU could not be opened ({reason}); close programs that use it, or run on the CPU."))
            })?,
        };
        let fault = Fault::watch(&device);
        let info = adapter.get_info();
        let name = name(&info, &device);
        let software = info.device_type == wgpu::DeviceType::Cpu || is_software(&name) || is_software(&info.driver);
        let limits = device.limits();
        let max_binding = limits.max_storage_buffer_binding_size.min(MAX_BINDING) / 256 * 256;
        let pool = Rc::new(Pool::new(&device, limits.max_buffer_size.min(MAX_BINDING)));
        let nothing = pool.permanent();
        Ok(Self {
            recorder: RefCell::new(Recorder::new(&device)),
            pace: RefCell::new(Pace::new(software)),
            pipelines: RefCell::default(),
            pool,
            nothing,
            max_binding: Cell::new(max_binding),
            tiling: Cell::new(if software { Tiling::Direct } else { Tiling::Tiled }),
            backend: match info.backend {
                wgpu::Backend::BrowserWebGpu => "browser webgpu".into(),
                other => other.to_str().to_owned(),
            },
            device,
            queue,
            limits,
            name,
            software,
            fault,
        })
    }

    /// Bytes that one binding may span.
    pub(super) fn max_binding(&self) -> u64 {
        self.max_binding.get()
    }

    pub(super) fn tiling(&self) -> Tiling {
        self.tiling.get()
    }

    #[cfg(test)]
    pub(super) fn force(&self, tiling: Tiling) {
        self.tiling.set(tiling);
    }

    #[cfg(test)]
    pub(super) fn restrict_binding(&self, bytes: u64) {
        self.max_binding.set(bytes);
    }

    /// The compiled kernel, from the cache after the first time.
    pub(super) fn pipeline(&self, kernel: &Kernel) -> Result<Rc<Pipeline>> {
        if let Some(pipeline) = self.pipelines.borrow().get(kernel) {
            return Ok(pipeline.clone());
        }
        let module = self.device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(kernel.file),
            source: wgpu::ShaderSource::Wgsl(kernel.source()?.into()),
        });
        let raw = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(kernel.file),
            layout: None,
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            cache: None,
        });
        let layout = raw.get_bind_group_layout(0);
        let pipeline = Rc::new(Pipeline { raw, layout });
        self.pipelines.borrow_mut().insert(kernel.clone(), pipeline.clone());
        Ok(pipeline)
    }
}

/// The adapter that the system prefers; natively, the one that the environment variable COPPICE_GPU names by its number, from 0.
async fn adapter(instance: &wgpu::Instance) -> Result<wgpu::Adapter> {
    #[cfg(not(target_arch = "wasm32"))]
    if let Ok(number) = std::env::var("COPPICE_GPU") {
        let mut all = instance.enumerate_adapters(wgpu::Backends::PRIMARY).await;
        let count = all.len();
        return match number.parse::<usize>() {
            Ok(place) if place < count => Ok(all.swap_remove(place)),
            _ => Err(Error::device(format!("COPPICE_GPU is \"{number}\"; there are {count} GPUs here, numbered from 0."))),
        };
    }
    let options = wgpu::RequestAdapterOptions { power_preference: wgpu::PowerPreference::HighPerformance, ..Default::default() };
    instance
        .request_adapter(&options)
        .await
        .map_err(|reason| Error::device(format!("No GPU can be used here ({reason}); use a browser with WebGPU, or run on the CPU.")))
}

async fn request(
    adapter: &wgpu::Adapter,
    required_limits: wgpu::Limits,
) -> std::result::Result<(wgpu::Device, wgpu::Queue), wgpu::RequestDeviceError> {
    adapter
        .request_device(&wgpu::DeviceDescriptor {
            label: Some("coppice"),
            required_limits,
            memory_hints: wgpu::MemoryHints::Performance,
            ..Default::default()
        })
        .await
}

fn is_software(name: &str) -> bool {
    let name = name.to_lowercase();
    ["swiftshader", "llvmpipe", "lavapipe", "software", "basic render"].iter().any(|program| name.contains(program))
}

#[cfg(not(target_arch = "wasm32"))]
fn name(info: &wgpu::AdapterInfo, _device: &wgpu::Device) -> String {
    info.name.clone()
}

/// Browsers tell vendor and architecture, and seldom a description.
#[cfg(target_arch = "wasm32")]
fn name(info: &wgpu::AdapterInfo, device: &wgpu::Device) -> String {
    use wasm_bindgen::JsCast;
    let field = |name: &str| {
        let js: &js_sys::Object = device.as_webgpu()?.as_ref();
        let told = js_sys::Reflect::get(js, &"adapterInfo".into()).ok()?;
        js_sys::Reflect::get(told.dyn_ref::<js_sys::Object>()?, &name.into()).ok()?.as_string()
    };
    let words = [field("vendor"), field("architecture"), Some(info.name.clone())];
    let words: Vec<_> = words.into_iter().flatten().filter(|word| !word.is_empty()).collect();
    if words.is_empty() { "WebGPU adapter".into() } else { words.join(" ") }
}
