//! A model in ONNX Runtime, whose library is loaded when the first model is opened.

use super::library::{LIBRARY_VARIABLE, candidates};
use crate::batch::Batch;
use crate::error::{Error, Result, catch_library_panic};
use crate::nn::{ONNX_MODEL, OnnxInputs};
use ort::environment::Environment;
use ort::logging::LogLevel;
use ort::session::Session;
use ort::value::TensorRef;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// The name of the output with the logits.
const LOGITS: &str = "logits";

/// Why ONNX Runtime cannot be used, as one sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::export) struct Unavailable(pub(in crate::export) String);

/// The library, of which a process loads one.
#[derive(Clone)]
struct Runtime {
    environment: Environment,
    /// `ONNX Runtime 1.22`
    name: String,
}

static RUNTIME: Mutex<Option<Runtime>> = Mutex::new(None);

impl Runtime {
    /// The library that was loaded, or the first that can be loaded.
    fn get() -> Result<Runtime, Unavailable> {
        let mut loaded = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = &*loaded {
            return Ok(runtime.clone());
        }
        let mut problems = Vec::new();
        for path in candidates() {
            match catch_library_panic(|| Self::load(&path)).and_then(|runtime| runtime) {
                Ok(runtime) => return Ok(loaded.insert(runtime).clone()),
                Err(problem) => problems.push(format!("{} cannot be used: {problem}", path.display())),
            }
        }
        let advice =
            format!("install it with `pip install onnxruntime`, or name its library in {LIBRARY_VARIABLE}");
        Err(Unavailable(match problems.first() {
            None => format!("ONNX Runtime was not found; {advice}"),
            Some(problem) => format!("ONNX Runtime was not loaded: {problem}; {advice}"),
        }))
    }

    fn load(path: &Path) -> Result<Runtime, String> {
        // The loader looks for a name without a folder elsewhere, too.
        if path.components().count() > 1 && !path.is_file() {
            return Err("there is no such file".into());
        }
        let builder = ort::init_from(path).map_err(|error| first_line(&error))?;
        // What the library logs would be printed over the interface. Errors are results, too.
        let builder = builder.with_name(env!("CARGO_PKG_NAME")).with_telemetry(false);
        let builder = builder.with_logger(Arc::new(|_: LogLevel, _: &str, _: &str, _: &str, _: &str| {}));
        let environment = builder.build().map_err(|error| first_line(&error))?;
        let name = match ort::util::probe(path) {
            Some(minor) => format!("ONNX Runtime 1.{minor}"),
            None => "ONNX Runtime".into(),
        };
        Ok(Runtime { environment, name })
    }
}

/// A model that is ready to run.
pub(in crate::export) struct OnnxSession {
    session: Session,
    /// `ONNX Runtime 1.22`
    pub(in crate::export) runtime: String,
    /// The name of the model in errors.
    model: String,
}

impl OnnxSession {
    /// Opens the model in `folder`.
    ///
    /// # Errors
    /// [`Unavailable`] without the library; the inner error is that of a model that it rejects.
    pub(in crate::export) fn open(folder: &Path) -> Result<Result<Self>, Unavailable> {
        let Runtime { environment, name } = Runtime::get()?;
        let path = folder.join(ONNX_MODEL);
        let model = path.display().to_string();
        let opened = catch_library_panic(|| -> ort::Result<Session> {
            let mut builder = Session::builder(&environment)?;
            builder.commit_from_file(&path)
        });
        let session = match opened {
            Ok(Ok(session)) => session,
            Ok(Err(error)) => return Ok(Err(rejected(&model, &name, &first_line(&error)))),
            Err(panic) => return Ok(Err(rejected(&model, &name, &panic))),
        };
        Ok(Ok(OnnxSession { session, runtime: name, model }))
    }

    /// Logits of each example: (examples, labels)
    ///
    /// # Errors
    /// [`Error::Model`] if the library rejects the inputs, or the output is none for these examples.
    pub(in crate::export) fn logits(&mut self, batch: &Batch, padding: u32) -> Result<Vec<Vec<f32>>> {
        let inputs = OnnxInputs::new(batch, padding);
        let (model, runtime) = (self.model.clone(), self.runtime.clone());
        let computed = catch_library_panic(|| self.run(&inputs)).and_then(|logits| logits);
        computed.map_err(|problem| rejected(&model, &runtime, &problem))
    }

    fn run(&mut self, inputs: &OnnxInputs) -> Result<Vec<Vec<f32>>, String> {
        let names: Vec<String> = self.session.inputs().iter().map(|input| input.name().to_owned()).collect();
        let mut values = Vec::new();
        for name in names {
            let data = inputs.values(&name).ok_or_else(|| format!("it has the unknown input {name}"))?;
            let tensor =
                TensorRef::from_array_view((inputs.shape, data)).map_err(|error| first_line(&error))?;
            values.push((name, tensor));
        }
        let outputs = self.session.run(values).map_err(|error| first_line(&error))?;
        let logits = outputs.get(LOGITS).ok_or_else(|| format!("it has no output {LOGITS}"))?;
        let (shape, logits) = logits.try_extract_tensor::<f32>().map_err(|error| first_line(&error))?;
        match shape[..] {
            [examples, labels] if examples as usize == inputs.shape[0] && labels > 0 => {
                Ok(logits.chunks_exact(labels as usize).map(<[f32]>::to_vec).collect())
            }
            _ => Err(format!(
                "its output {LOGITS} has the shape {:?} for {} texts",
                &shape[..],
                inputs.shape[0]
            )),
        }
    }
}

fn rejected(model: &str, runtime: &str, problem: &str) -> Error {
    Error::model(model, format!("{runtime} rejects it: {problem}"))
}

fn first_line(error: &dyn std::fmt::Display) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}
