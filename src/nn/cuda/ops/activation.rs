//! The numbers of activation functions in the kernels.

use crate::nn::architecture::PoolerActivation;
use kernels::activation::Activation;

/// The value of the kernels' enumeration for a function of the feed-forward network.
pub(super) fn activation_number(function: Activation) -> usize {
    match function {
        Activation::Gelu => 0,
        Activation::GeluTanh => 1,
        Activation::Relu => 2,
    }
}

/// The same for a function of the pooler.
pub(super) fn pooler_activation_number(function: PoolerActivation) -> usize {
    match function {
        PoolerActivation::Gelu => activation_number(Activation::Gelu),
        PoolerActivation::GeluTanh => activation_number(Activation::GeluTanh),
        PoolerActivation::Relu => activation_number(Activation::Relu),
        PoolerActivation::Tanh => 3,
    }
}
