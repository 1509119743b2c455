//! Building of a graph, node by node.

use super::initializer::{Content, Form, Initializer};
use super::proto::{AttributeProto, DataType, NodeProto};
use std::collections::{BTreeMap, BTreeSet};

/// The name of a value: an input of the graph, a constant tensor, or an output of a node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Value(String);

impl Value {
    /// An input of the graph.
    pub(super) fn input(name: &str) -> Self {
        Value(name.into())
    }
}

/// The nodes of a graph and its constant tensors. Each constant is stored once.
#[derive(Debug, Default)]
pub(super) struct GraphBuilder {
    nodes: Vec<NodeProto>,
    initializers: Vec<Initializer>,
    stored: BTreeSet<String>,
    /// The part of the model that new nodes belong to, for their names.
    scope: String,
    /// Number of nodes of each scope and operator.
    counts: BTreeMap<String, usize>,
    /// Values that were computed before, by operator and input.
    computed: BTreeMap<(&'static str, Value), Vec<Value>>,
}

impl GraphBuilder {
    /// Names the part of the model that the next nodes belong to.
    pub(super) fn enter(&mut self, scope: impl Into<String>) {
        self.scope = scope.into();
    }

    /// Adds a node. Returns its output.
    pub(super) fn node(&mut self, op: &str, inputs: &[&Value], attributes: Vec<AttributeProto>) -> Value {
        let name = self.node_name(op);
        let output = Value(format!("{name}_output_0"));
        self.push(name, op, inputs, vec![output.0.clone()], attributes);
        output
    }

    /// Adds a node with N outputs.
    pub(super) fn node_with_outputs<const N: usize>(
        &mut self,
        op: &str,
        inputs: &[&Value],
        attributes: Vec<AttributeProto>,
    ) -> [Value; N] {
        let name = self.node_name(op);
        let outputs = std::array::from_fn(|index| Value(format!("{name}_output_{index}")));
        self.push(
            name,
            op,
            inputs,
            outputs.iter().map(|output: &Value| output.0.clone()).collect(),
            attributes,
        );
        outputs
    }

    fn node_name(&mut self, op: &str) -> String {
        let name = format!("/{}/{op}", self.scope);
        let count = self.counts.entry(name.clone()).or_default();
        *count += 1;
        if *count == 1 { name } else { format!("{name}_{}", *count - 1) }
    }

    fn push(
        &mut self,
        name: String,
        op: &str,
        inputs: &[&Value],
        output: Vec<String>,
        attribute: Vec<AttributeProto>,
    ) {
        let input = inputs.iter().map(|value| value.0.clone()).collect();
        self.nodes.push(NodeProto { input, output, name, op_type: op.into(), attribute });
    }

    /// The outputs of `DynamicQuantizeLinear`, once for each input: whole numbers from 0 to 255, their scale and their
    /// zero point.
    pub(super) fn quantized(&mut self, x: &Value) -> [Value; 3] {
        const OP: &str = "DynamicQuantizeLinear";
        let key = (OP, x.clone());
        if let Some(Ok(outputs)) = self.computed.get(&key).map(|outputs| outputs.clone().try_into()) {
            return outputs;
        }
        let outputs: [Value; 3] = self.node_with_outputs(OP, &[x], Vec::new());
        self.computed.insert(key, outputs.to_vec());
        outputs
    }

    /// A tensor that is computed from a parameter of the model with this shape.
    pub(super) fn parameter(&mut self, name: &str, shape: &[usize], form: Form) -> Value {
        let stored = format!("{name}{}", form.suffix());
        let content = Content::Parameter { name: name.into(), form };
        self.store(stored, form.dims(shape), form.data_type(), content)
    }

    /// A list of whole numbers: (n)
    pub(super) fn ints(&mut self, values: &[i64]) -> Value {
        let name = format!("ints_{}", values.iter().map(ToString::to_string).collect::<Vec<_>>().join("_"));
        self.int_table(&name, values)
    }

    /// A list of whole numbers with a name: (n)
    pub(super) fn int_table(&mut self, name: &str, values: &[i64]) -> Value {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.store(name.into(), vec![values.len()], DataType::Int64, Content::Bytes(bytes))
    }

    /// A whole number.
    pub(super) fn int(&mut self, value: i64) -> Value {
        self.store(
            format!("int_{value}"),
            Vec::new(),
            DataType::Int64,
            Content::Bytes(value.to_le_bytes().into()),
        )
    }

    /// A number.
    pub(super) fn float(&mut self, value: f32) -> Value {
        let bytes = value.to_le_bytes().into();
        self.store(format!("float_{value:e}"), Vec::new(), DataType::Float, Content::Bytes(bytes))
    }

    /// A list of numbers with a name: (n)
    pub(super) fn float_table(&mut self, name: &str, values: &[f32]) -> Value {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.store(name.into(), vec![values.len()], DataType::Float, Content::Bytes(bytes))
    }

    fn store(&mut self, name: String, dims: Vec<usize>, data_type: DataType, content: Content) -> Value {
        if self.stored.insert(name.clone()) {
            self.initializers.push(Initializer { name: name.clone(), dims, data_type, content });
        }
        Value(name)
    }

    /// The nodes and constant tensors of the graph whose output is `value`, under the name `output`.
    pub(super) fn finish(mut self, value: &Value, output: &str) -> (Vec<NodeProto>, Vec<Initializer>) {
        let rename = |name: &mut String| {
            if *name == value.0 {
                output.clone_into(name);
            }
        };
        for node in &mut self.nodes {
            node.input.iter_mut().chain(&mut node.output).for_each(rename);
        }
        (self.nodes, self.initializers)
    }
}

/// Operators by their names in ONNX.
impl GraphBuilder {
    pub(super) fn add(&mut self, a: &Value, b: &Value) -> Value {
        self.node("Add", &[a, b], Vec::new())
    }

    pub(super) fn sub(&mut self, a: &Value, b: &Value) -> Value {
        self.node("Sub", &[a, b], Vec::new())
    }

    pub(super) fn mul(&mut self, a: &Value, b: &Value) -> Value {
        self.node("Mul", &[a, b], Vec::new())
    }

    pub(super) fn div(&mut self, a: &Value, b: &Value) -> Value {
        self.node("Div", &[a, b], Vec::new())
    }

    pub(super) fn matmul(&mut self, a: &Value, b: &Value) -> Value {
        self.node("MatMul", &[a, b], Vec::new())
    }

    /// An operator of one input without attributes.
    pub(super) fn unary(&mut self, op: &str, x: &Value) -> Value {
        self.node(op, &[x], Vec::new())
    }

    /// The elements of `x` at `indices` of dimension `axis`.
    pub(super) fn gather(&mut self, x: &Value, indices: &Value, axis: i64) -> Value {
        self.node("Gather", &[x, indices], vec![AttributeProto::int("axis", axis)])
    }

    /// A size of 0 keeps that of `x`, and -1 is what is left.
    pub(super) fn reshape(&mut self, x: &Value, sizes: &[i64]) -> Value {
        let sizes = self.ints(sizes);
        self.node("Reshape", &[x, &sizes], Vec::new())
    }

    pub(super) fn transpose(&mut self, x: &Value, order: &[i64]) -> Value {
        self.node("Transpose", &[x], vec![AttributeProto::ints("perm", order)])
    }

    pub(super) fn unsqueeze(&mut self, x: &Value, axes: &[i64]) -> Value {
        let axes = self.ints(axes);
        self.node("Unsqueeze", &[x, &axes], Vec::new())
    }

    /// The part of `x` from `from` to before `to` in dimension `axis`; both have one element.
    pub(super) fn slice(&mut self, x: &Value, axis: i64, from: &Value, to: &Value) -> Value {
        let axis = self.ints(&[axis]);
        self.node("Slice", &[x, from, to, &axis], Vec::new())
    }

    pub(super) fn concat(&mut self, parts: &[&Value], axis: i64) -> Value {
        self.node("Concat", parts, vec![AttributeProto::int("axis", axis)])
    }

    /// N equal parts of the last dimension, each of `size`.
    pub(super) fn split<const N: usize>(&mut self, x: &Value, size: usize) -> [Value; N] {
        let sizes = self.ints(&[size as i64; N]);
        self.node_with_outputs("Split", &[x, &sizes], vec![AttributeProto::int("axis", -1)])
    }

    pub(super) fn cast(&mut self, x: &Value, to: DataType) -> Value {
        self.node("Cast", &[x], vec![AttributeProto::int("to", i64::from(i32::from(to)))])
    }

    /// The sum over dimension `axis`, which is left out.
    pub(super) fn sum(&mut self, x: &Value, axis: i64) -> Value {
        let axes = self.ints(&[axis]);
        self.node("ReduceSum", &[x, &axes], vec![AttributeProto::int("keepdims", 0)])
    }

    /// `from`, `from` + 1, … to before `to`, which are whole numbers.
    pub(super) fn range(&mut self, from: &Value, to: &Value) -> Value {
        let step = self.int(1);
        self.node("Range", &[from, to, &step], Vec::new())
    }

    /// Whole numbers within ±`limit`.
    pub(super) fn clip(&mut self, x: &Value, limit: i64) -> Value {
        let (low, high) = (self.int(-limit), self.int(limit));
        self.node("Clip", &[x, &low, &high], Vec::new())
    }
}
