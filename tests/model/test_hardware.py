import pytest
import torch

from dmdoc.errors import BackboneError
from dmdoc.model.hardware import Hardware, choose_attention, choose_device, choose_dtype, detect_hardware

PLAIN_CPU = Hardware(cuda=False, cuda_bf16=False, flash_attention=False, cpu_bf16=False)
BF16_CPU = Hardware(cuda=False, cuda_bf16=False, flash_attention=True, cpu_bf16=True)
OLD_CARD = Hardware(cuda=True, cuda_bf16=False, flash_attention=False, cpu_bf16=True)
CARD = Hardware(cuda=True, cuda_bf16=True, flash_attention=False, cpu_bf16=False)
FLASH_CARD = Hardware(cuda=True, cuda_bf16=True, flash_attention=True, cpu_bf16=False)

FLOAT32, BFLOAT16 = torch.float32, torch.bfloat16


@pytest.mark.parametrize(
    ("hardware", "device", "dtype", "attention"),
    [
        (PLAIN_CPU, "cpu", FLOAT32, "sdpa"),
        (BF16_CPU, "cpu", BFLOAT16, "sdpa"),
        (CARD, "cuda", BFLOAT16, "sdpa"),
        (FLASH_CARD, "cuda", BFLOAT16, "flash_attention_2"),
    ],
)
def test_auto_takes_the_best_that_the_machine_has(
    hardware: Hardware, device: str, dtype: torch.dtype, attention: str
) -> None:
    chosen = choose_device("auto", hardware)
    assert chosen == torch.device(device)
    assert choose_dtype("auto", chosen, hardware) == dtype
    assert choose_attention("auto", chosen, dtype, hardware) == attention


def test_a_named_choice_wins_over_auto() -> None:
    cpu = choose_device("cpu", FLASH_CARD)
    assert cpu == torch.device("cpu")
    assert choose_device("cuda:1", CARD) == torch.device("cuda:1")
    assert choose_dtype("bfloat16", cpu, PLAIN_CPU) == BFLOAT16
    assert choose_dtype("float32", torch.device("cuda"), CARD) == FLOAT32
    assert choose_attention("eager", cpu, FLOAT32, PLAIN_CPU) == "eager"


def test_float32_on_a_card_does_without_flash_attention() -> None:
    assert choose_attention("auto", torch.device("cuda"), FLOAT32, FLASH_CARD) == "sdpa"


@pytest.mark.parametrize(
    ("requested", "hardware", "message"),
    [
        ("cuda", PLAIN_CPU, "no CUDA card was found; use the device cpu"),
        ("auto", OLD_CARD, "no bfloat16.*use the device cpu"),
        ("cuda:0", OLD_CARD, "no bfloat16.*use the device cpu"),
        ("tpu", CARD, "auto, cpu, cuda or cuda:N, got 'tpu'"),
        ("cuda:", CARD, "got 'cuda:'"),
    ],
)
def test_a_device_that_cannot_be_used_is_refused(requested: str, hardware: Hardware, message: str) -> None:
    with pytest.raises(BackboneError, match=message):
        choose_device(requested, hardware)


def test_an_unknown_number_format_is_refused() -> None:
    with pytest.raises(BackboneError, match="auto, float32, bfloat16, got 'int8'"):
        choose_dtype("int8", torch.device("cpu"), PLAIN_CPU)


@pytest.mark.parametrize(
    ("requested", "device", "dtype", "hardware", "message"),
    [
        ("flash_attention_2", "cpu", BFLOAT16, BF16_CPU, "needs a CUDA card"),
        ("flash_attention_2", "cuda", FLOAT32, FLASH_CARD, "bfloat16"),
        ("flash_attention_2", "cuda", BFLOAT16, CARD, r"dmdoc\[gpu\]"),
        ("xformers", "cuda", BFLOAT16, FLASH_CARD, "got 'xformers'"),
    ],
)
def test_attention_that_cannot_run_is_refused(
    requested: str, device: str, dtype: torch.dtype, hardware: Hardware, message: str
) -> None:
    with pytest.raises(BackboneError, match=message):
        choose_attention(requested, torch.device(device), dtype, hardware)


def test_detection_agrees_with_torch() -> None:
    hardware = detect_hardware()
    assert hardware.cuda == torch.cuda.is_available()
    assert hardware.cuda or not hardware.cuda_bf16
