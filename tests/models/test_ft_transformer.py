import torch

from contracts.model import FamilyContract
from distml.models import build_network, ft_transformer
from problems import spec_of


class TestFTTransformer(FamilyContract):
    family = ft_transformer.FAMILY


def network_of(num_numeric, **params):
    return build_network(spec_of("ft_transformer", "binary", params, num_numeric=num_numeric, cardinalities=(4, 5)))


def test_attention_over_many_columns_is_bounded():
    few, many = (network_of(number, num_blocks=1, head_width=4) for number in (200, 2_000))
    assert few.backbone.blocks[0].attention.key_compression is None
    assert many.backbone.blocks[0].attention.key_compression.out_features == 128
    # A head's attention is of all tokens to 128, no longer to one another.
    assert many.numbers_per_row < 20 * few.numbers_per_row
    assert many(torch.randn(2, 2_000), torch.zeros(2, 2, dtype=torch.int64)).shape == (2, 2)


def test_a_column_is_known_from_another_with_the_same_code():
    network = network_of(0, num_blocks=1).eval()
    with torch.no_grad():
        network.categories.weight.zero_()
        network.backbone.blocks[0].attention.W_v.weight.normal_()
    assert network.tokens.weight.shape[0] == 1 + 2
    assert not torch.equal(network.tokens.weight[1], network.tokens.weight[2])
