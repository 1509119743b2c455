//! The messages of an event file, as far as they are written: `event.proto`, `summary.proto`, `tensor.proto` and
//! `tensor_shape.proto` of TensorFlow.

use prost::{Message, Oneof};

/// The first record of an event file has this text.
pub(super) const FILE_VERSION: &str = "brain.Event:2";
/// `DataType.DT_STRING`.
const DT_STRING: i32 = 7;
/// `SessionLog.SessionStatus.START`.
const START: i32 = 1;

/// `Event`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Event {
    /// Seconds since 1970.
    #[prost(double, tag = "1")]
    pub(super) wall_time: f64,
    #[prost(int64, tag = "2")]
    pub(super) step: i64,
    #[prost(oneof = "What", tags = "3, 5, 7")]
    pub(super) what: Option<What>,
}

/// The content of an [`Event`].
#[derive(Clone, PartialEq, Oneof)]
pub(super) enum What {
    #[prost(string, tag = "3")]
    FileVersion(String),
    #[prost(message, tag = "5")]
    Summary(Summary),
    #[prost(message, tag = "7")]
    SessionLog(SessionLog),
}

/// `Summary`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Summary {
    #[prost(message, repeated, tag = "1")]
    pub(super) value: Vec<SummaryValue>,
}

/// `Summary.Value`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct SummaryValue {
    #[prost(string, tag = "1")]
    pub(super) tag: String,
    #[prost(message, optional, tag = "9")]
    pub(super) metadata: Option<SummaryMetadata>,
    #[prost(oneof = "Value", tags = "2, 8")]
    pub(super) value: Option<Value>,
}

/// The value of a [`SummaryValue`].
#[derive(Clone, PartialEq, Oneof)]
pub(super) enum Value {
    #[prost(float, tag = "2")]
    SimpleValue(f32),
    #[prost(message, tag = "8")]
    Tensor(Tensor),
}

/// `SummaryMetadata`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct SummaryMetadata {
    #[prost(message, optional, tag = "1")]
    pub(super) plugin_data: Option<PluginData>,
}

/// `SummaryMetadata.PluginData`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct PluginData {
    #[prost(string, tag = "1")]
    pub(super) plugin_name: String,
}

/// `TensorProto` of strings.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Tensor {
    #[prost(int32, tag = "1")]
    pub(super) dtype: i32,
    /// `tensor_shape`.
    #[prost(message, optional, tag = "2")]
    pub(super) shape: Option<TensorShape>,
    #[prost(bytes = "vec", repeated, tag = "8")]
    pub(super) string_val: Vec<Vec<u8>>,
}

/// `TensorShapeProto`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct TensorShape {
    #[prost(message, repeated, tag = "2")]
    pub(super) dim: Vec<Dim>,
}

/// `TensorShapeProto.Dim`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Dim {
    #[prost(int64, tag = "1")]
    pub(super) size: i64,
}

/// `SessionLog`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct SessionLog {
    #[prost(int32, tag = "1")]
    pub(super) status: i32,
}

impl Event {
    /// The first record of a file.
    pub(super) fn file_version(wall_time: f64) -> Event {
        Event { wall_time, step: 0, what: Some(What::FileVersion(FILE_VERSION.into())) }
    }

    /// Discards what a reader has seen of `step` and later steps.
    pub(super) fn session_start(wall_time: f64, step: i64) -> Event {
        Event { wall_time, step, what: Some(What::SessionLog(SessionLog { status: START })) }
    }

    /// Values of a step.
    pub(super) fn summary(wall_time: f64, step: i64, value: Vec<SummaryValue>) -> Event {
        Event { wall_time, step, what: Some(What::Summary(Summary { value })) }
    }
}

impl SummaryValue {
    /// A number. Event files have 32-bit numbers.
    pub(super) fn scalar(tag: impl Into<String>, value: f64) -> SummaryValue {
        SummaryValue { tag: tag.into(), metadata: None, value: Some(Value::SimpleValue(value as f32)) }
    }

    /// A text in Markdown, with the tag that PyTorch's `SummaryWriter.add_text` gives it.
    pub(super) fn text(name: &str, markdown: String) -> SummaryValue {
        let plugin_data = PluginData { plugin_name: "text".into() };
        let shape = TensorShape { dim: vec![Dim { size: 1 }] };
        SummaryValue {
            tag: format!("{name}/text_summary"),
            metadata: Some(SummaryMetadata { plugin_data: Some(plugin_data) }),
            value: Some(Value::Tensor(Tensor {
                dtype: DT_STRING,
                shape: Some(shape),
                string_val: vec![markdown.into_bytes()],
            })),
        }
    }
}
