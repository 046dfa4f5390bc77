"""Masks of objects: exact geometry, every kind of file, and what is refused; scenes and grids as sources of images."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from heatproof.data.boxes import boxes_mask, read_boxes
from heatproof.data.digits import LUMA, digit_scenes
from heatproof.data.folder import has_splits, read_images
from heatproof.data.grids import grids
from heatproof.data.images import ImageSet, image_set
from heatproof.data.labelled import labelled
from heatproof.data.mask_files import read_mask
from heatproof.data.masks import has_masks, masks_for, smaller_than
from heatproof.data.preprocess import Preprocess
from heatproof.errors import InputError

PLAIN = Preprocess(32, 36)


def rectangle(size: tuple[int, int], box: tuple[int, int, int, int]) -> np.ndarray:
    """A red rectangle on blue, ``(H, W, 3)``; box x0 y0 x1 y1 with its ends left out."""
    pixels = np.zeros((*size, 3), dtype=np.uint8)
    pixels[..., 2] = 255
    x0, y0, x1, y1 = box
    pixels[y0:y1, x0:x1] = (255, 0, 0)
    return pixels


def inside(size: tuple[int, int], box: tuple[int, int, int, int]) -> np.ndarray:
    return rectangle(size, box)[..., 0] > 0


def save(path: Path, pixels: np.ndarray, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def table(path: Path, *rows: str, head: str = "file,boxes_xyxy") -> Path:
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return path


def nearest(mask: np.ndarray, resized: tuple[int, int], crop: tuple[int, int]) -> np.ndarray:
    """Slow reference: each pixel of the crop looks up the photo's pixel under its centre."""
    out = np.zeros(crop, dtype=bool)
    top, left = round((resized[0] - crop[0]) / 2), round((resized[1] - crop[1]) / 2)
    for y in range(crop[0]):
        for x in range(crop[1]):
            from_y = int((y + top + 0.5) * mask.shape[0] / resized[0])
            from_x = int((x + left + 0.5) * mask.shape[1] / resized[1])
            out[y, x] = mask[from_y, from_x]
    return out


def within_one_pixel(a: Tensor, b: Tensor) -> bool:
    """Each mask is inside the other one enlarged by a pixel on every side."""

    def grown(mask: Tensor) -> Tensor:
        return torch.nn.functional.max_pool2d(mask.float(), 3, stride=1, padding=1).bool()

    return bool((a <= grown(b)).all() and (b <= grown(a)).all() and a.any() and b.any())


# geometry


@pytest.mark.parametrize(
    ("size", "box", "preprocess", "resized"),
    [
        ((60, 90), (10, 20, 50, 55), Preprocess(32, 36), (36, 54)),
        ((97, 61), (30, 5, 58, 90), Preprocess(32, 36), (57, 36)),
        ((41, 40), (0, 0, 9, 40), Preprocess((28, 20), 30), (30, 30)),
        ((20, 31), (12, 4, 20, 11), Preprocess(48, 55), (55, 85)),
        ((30, 30), (3, 4, 20, 21), Preprocess(None), (30, 30)),
    ],
)
def test_masks_and_boxes_follow_their_photo(tmp_path, size, box, preprocess, resized):
    save(tmp_path / "in" / "a.png", rectangle(size, box))
    save(tmp_path / "masks" / "a.png", inside(size, box))
    images = read_images(tmp_path / "in", preprocess)
    crop = tuple(images.pixels.shape[2:])
    png = masks_for(images, tmp_path / "masks", preprocess)
    drawn = masks_for(images, table(tmp_path / "b.csv", f"a.png,{' '.join(map(str, box))}"), preprocess)
    assert (png.source, drawn.source, png.kept, drawn.kept) == ("png", "boxes", (0,), (0,))
    assert png.masks.dtype == torch.bool
    np.testing.assert_array_equal(png.masks[0, 0].numpy(), nearest(inside(size, box), resized, crop))
    assert torch.equal(png.masks, drawn.masks)
    assert within_one_pixel(png.masks, images.pixels[:, :1] > 0.5)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_turned_by_exif(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    save(tmp_path / "in" / "a.jpg", rectangle((60, 90), (10, 20, 40, 30)), exif=exif, quality=95, subsampling=0)
    images = read_images(tmp_path / "in", PLAIN)
    upright = (90, 60) if orientation >= 5 else (60, 90)
    assert images.files is not None
    assert images.files[0].size == upright
    with Image.open(tmp_path / "in" / "a.jpg") as photo:  # by hand: the definition of the tag
        turns = {1: (), 2: (0,), 3: (3,), 4: (1,), 5: (5,), 6: (4,), 7: (6,), 8: (2,)}[orientation]
        for turn in turns:
            photo = photo.transpose(Image.Transpose(turn))
        mask = np.asarray(photo)[..., 0] > 127
    assert mask.shape == upright
    save(tmp_path / "in" / "a.mask.png", mask)
    found = masks_for(images, None, PLAIN)
    assert within_one_pixel(found.masks, images.pixels[:, :1] > 0.5)
    y, x = np.nonzero(mask)
    box = f"{x.min()} {y.min()} {x.max() + 1} {y.max() + 1}"
    size = f"{upright[1]},{upright[0]}"
    csv = table(tmp_path / "in" / "b.csv", f"a.jpg,{box},{size}", head="file,boxes_xyxy,width,height")
    assert torch.equal(masks_for(images, csv, PLAIN).masks, found.masks)
    if orientation >= 5:
        table(csv, f"a.jpg,{box},90,60", head="file,boxes_xyxy,width,height")
        with pytest.raises(InputError, match=r"90 x 60 pixels.*60 x 90.*upright"):
            masks_for(images, csv, PLAIN)


def own_transform(image: Image.Image) -> Tensor:
    """A caller's own function: other crop, padding, other units."""
    values = torch.from_numpy(np.array(image.resize((40, 40)).crop((8, 2, 44, 32)))).permute(2, 0, 1).float()
    return torch.nn.functional.pad(values / 127.5 - 1, (2, 2, 0, 0), value=0.3)


def test_masks_go_through_a_function_of_the_caller(tmp_path):
    box = (20, 30, 70, 80)
    save(tmp_path / "in" / "a.png", rectangle((100, 100), box))
    save(tmp_path / "in" / "a_mask.png", inside((100, 100), box))
    preprocess = Preprocess(function=own_transform)
    images = read_images(tmp_path / "in", preprocess)
    found = masks_for(images, "beside", preprocess)
    expected = torch.zeros(1, 1, 30, 40, dtype=torch.bool)
    expected[..., 10:30, 2:22] = True  # x 8 to 28 less the crop's 8, plus 2 of padding; y 12 to 32 less 2
    assert torch.equal(found.masks, expected)
    with pytest.raises(InputError, match="same values"):
        masks_for(read_images(tmp_path / "in", blank := Preprocess(function=nothing)), "beside", blank)


def nothing(image: Image.Image) -> Tensor:
    return torch.zeros(3, 8, 8)


def test_another_preprocessing_than_the_images_had_is_refused(tmp_path):
    save(tmp_path / "in" / "a.png", rectangle((60, 90), (10, 20, 40, 30)))
    save(tmp_path / "in" / "a_mask.png", inside((60, 90), (10, 20, 40, 30)))
    images = read_images(tmp_path / "in", PLAIN)
    for other in (Preprocess(32), Preprocess(32, 40), None):
        with pytest.raises(InputError, match=r"does not give a\.png as it is in the images"):
            masks_for(images, None, other)


# files of masks

MASK = np.zeros((6, 8), dtype=bool)
MASK[1:4, 2:7] = True


def palette(mask: np.ndarray, colours: list[int]) -> Image.Image:
    image = Image.fromarray(mask.astype(np.uint8))
    image.putpalette(colours)
    return image


def layers(mask: np.ndarray, inner: tuple[int, ...], outer: tuple[int, ...]) -> Image.Image:
    return Image.fromarray(np.where(mask[..., None], inner, outer).astype(np.uint8))


KINDS = {
    "one bit": Image.fromarray(MASK),
    "grey": Image.fromarray(np.where(MASK, 128, 127).astype(np.uint8)),
    "sixteen bits": Image.fromarray(np.where(MASK, 128 * 257, 128 * 257 - 1).astype(np.uint16)),
    "palette": palette(MASK, [0, 0, 0, 255, 255, 255]),
    "palette, white first": palette(~MASK, [255, 255, 255, 10, 10, 10]),
    "colour": layers(MASK, (255, 255, 0), (0, 0, 255)),
    "alpha, black": layers(MASK, (0, 0, 0, 255), (0, 0, 0, 0)),
    "alpha, soft": layers(MASK, (9, 9, 9, 1), (9, 9, 9, 0)),
    "alpha, white around": layers(MASK, (0, 0, 0, 255), (255, 255, 255, 0)),
    "alpha, opaque": layers(MASK, (255, 255, 255, 255), (0, 0, 0, 255)),
    "grey with alpha": layers(MASK, (255, 255), (0, 255)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_mask_file(tmp_path, kind):
    KINDS[kind].save(tmp_path / "m.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png"), MASK)


def test_a_palette_with_a_transparent_colour(tmp_path):
    palette(MASK, [0, 0, 0, 80, 80, 80]).save(tmp_path / "m.png", transparency=0)
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png"), MASK)


def test_masks_that_cannot_be_read(tmp_path):
    cut_out = layers(MASK, (0, 0, 0, 255), (0, 0, 0, 0))
    cut_out.putpixel((3, 2), (255, 0, 0, 255))
    cut_out.save(tmp_path / "m.png")
    with pytest.raises(InputError, match=r"m\.png: partly transparent and of several colours"):
        read_mask(tmp_path / "m.png")
    (tmp_path / "n.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"n\.png: not an image"):
        read_mask(tmp_path / "n.png")


def photos(root: Path, *names: str) -> ImageSet:
    for name in names:
        save(root / name, rectangle((40, 50), (10, 10, 30, 30)))
    return read_images(root, PLAIN)


def test_masks_are_no_photos_and_missing_and_empty_ones_are_noted(tmp_path):
    names = ("katze grün/süß 1.png", "katze grün/b.c.png", "katze grün/none.png", "hund/empty.png", "hund/x_mask.png")
    photos(tmp_path, *names)
    mask = inside((40, 50), (10, 10, 30, 30))
    save(tmp_path / "katze grün/süß 1_mask.png", mask)
    save(tmp_path / "katze grün/b.c.mask.PNG", mask)
    save(tmp_path / "hund/empty_mask.png", mask & False)
    images = read_images(tmp_path, PLAIN)
    assert sorted(images.names) == sorted(names)  # x_mask.png is a photo, since there is no x
    assert len(images.skipped) == 1
    assert images.skipped[0][1].endswith("not as an image, as are 2 more")
    assert has_masks(images)
    found = masks_for(images, None, PLAIN)
    assert [images.names[i] for i in found.kept] == ["katze grün/b.c.png", "katze grün/süß 1.png"]
    assert found.masks.flatten(1).any(1).nonzero().flatten().tolist() == list(found.kept)
    assert found.notes == ("3 of 5 images left out, with no mask, or an empty one: " + ", ".join(
        images.names[i] for i in range(5) if i not in found.kept
    ),)  # fmt: skip
    few = images.take([found.kept[1], 0])
    assert torch.equal(masks_for(few, None, PLAIN).masks[0], found.masks[found.kept[1]])


def test_a_name_may_have_its_accents_apart(tmp_path):
    whole, apart = "\u00e9.png", "e\u0301.png"
    images = photos(tmp_path / "in", apart)
    save(tmp_path / "m" / whole, inside((40, 50), (1, 1, 30, 30)))
    assert masks_for(images, tmp_path / "m", PLAIN).kept == (0,)
    csv = table(tmp_path / "b.csv", f"{whole},1 1 30 30")
    assert masks_for(images, csv, PLAIN).kept == (0,)


def test_a_folder_of_masks_by_relative_names(tmp_path):
    images = photos(tmp_path / "in", "a/1.png", "a/2.png", "b/1.png")
    left, right = inside((40, 50), (5, 0, 25, 40)), inside((40, 50), (25, 0, 45, 40))
    save(tmp_path / "m" / "a/1.gif", left.astype(np.uint8) * 255)
    save(tmp_path / "m" / "b/1_mask.png", right)
    found = masks_for(images, str(tmp_path / "m"), PLAIN)
    assert found.kept == (0, 2)
    assert not (found.masks[0] & found.masks[2]).any()
    assert found.masks[0, 0, :, 0].all()
    one = read_images(tmp_path / "in" / "a" / "1.png", PLAIN)
    assert torch.equal(masks_for(one, tmp_path / "m" / "a", PLAIN).masks, found.masks[:1])
    save(tmp_path / "in" / "a" / "2.mask.png", right)  # the folder of the photos itself: beside them
    assert masks_for(images, tmp_path / "in", PLAIN).kept == (1,)
    with pytest.raises(InputError, match="which was read as an image"):
        masks_for(images, tmp_path / "in" / "a", PLAIN)


def test_masks_of_a_split_folder(tmp_path):
    for part in ("train", "val"):
        save(tmp_path / part / "a" / "1.png", rectangle((40, 50), (10, 10, 30, 30)))
        save(tmp_path / part / "a" / "1_mask.png", inside((40, 50), (10, 10, 30, 30)))
    for split in ("train", "test"):
        images = read_images(tmp_path, PLAIN, split=split)
        assert (len(images), masks_for(images, None, PLAIN).kept) == (1, (0,))


def test_masks_that_do_not_fit(tmp_path):
    images = photos(tmp_path, "a.png")
    assert not has_masks(images)
    with pytest.raises(InputError, match=r"no image of .* has a mask: 1 of 1 images left out"):
        masks_for(images, None, PLAIN)
    save(tmp_path / "a_mask.png", inside((50, 40), (1, 1, 9, 9)))
    with pytest.raises(InputError, match=r"a_mask\.png is 40 x 50 pixels and the photo .*a\.png is 50 x 40"):
        masks_for(images, None, PLAIN)
    save(tmp_path / "a.mask.png", inside((40, 50), (1, 1, 9, 9)))
    with pytest.raises(InputError, match="has two masks"):
        masks_for(images, None, PLAIN)
    with pytest.raises(InputError, match="no such file or folder"):
        masks_for(images, "nowhere.csv", PLAIN)


# boxes


def test_boxes_are_clipped_and_those_outside_are_noted(tmp_path):
    images = photos(tmp_path, "a.png", "b.png", "c.png", "d.png", "e.png")  # 50 x 40 -> 45 x 36 -> 32 x 32
    csv = table(
        tmp_path / "b.csv", "a.png,-5 -5 24 99; 40 0 45 2", "b.png,0 0 5 40", "c.png,", "e.png,0 0 50 20",
        "e.png,0 20 50 40", "other.png,1 2 3 4",
    )  # fmt: skip
    found = masks_for(images, csv, PLAIN)
    assert found.kept == (0, 4)
    assert found.masks[4].all()
    resized = nearest(boxes_mask(((0, 0, 24, 40), (40, 0, 45, 2)), (40, 50)), (36, 45), (32, 32))
    np.testing.assert_array_equal(found.masks[0, 0].numpy(), resized)
    assert found.notes == (
        "2 of 5 images left out, with no mask, or an empty one: c.png, d.png",
        "1 of 5 images left out, with a mask without a pixel inside the image: b.png",
    )
    share = float(found.masks[0].double().mean())
    assert smaller_than(found, share) == []  # under, not at
    assert smaller_than(found, share + 1e-9) == [0]
    assert smaller_than(found, 1.0) == [0]  # the image without a mask is not in
    with pytest.raises(InputError, match="share=25"):
        smaller_than(found, 25)


def test_boxes_are_found_by_the_path_beside_the_table(tmp_path):
    images = photos(tmp_path / "all" / "sub", "a.png")
    csv = table(tmp_path / "all" / "b.csv", "sub/a.png,1 1 20 20", "a.png,0 0 50 40")
    assert not masks_for(images, csv, PLAIN).masks.all()
    assert masks_for(images, table(tmp_path / "b.csv", "a.png,0 0 50 40"), PLAIN).masks.all()


def test_a_box_covers_the_pixels_whose_centres_it_holds():
    assert boxes_mask(((0, 0, 4, 3),), (3, 4)).all()
    assert boxes_mask(((1, 1, 2, 2),), (3, 4)).sum() == 1
    np.testing.assert_array_equal(boxes_mask(((0.5, 0, 1.5, 1),), (1, 3)), [[True, False, False]])
    assert boxes_mask(((0, 0, 2, 1), (1, 0, 3, 1)), (1, 4)).tolist() == [[True, True, True, False]]


@pytest.mark.parametrize("box", ["1 2 3", "a b c d", "5 5 5 9", "0 9 4 3", "0 0 inf 4", "nan 0 4 4"])
def test_text_that_is_no_box(tmp_path, box):
    with pytest.raises(InputError, match=rf"b\.csv, line 3: '{box}' is no box; expected four numbers"):
        read_boxes(table(tmp_path / "b.csv", "a.png,1 2 3 4", f"b.png,1 2 3 4;{box}"))


def test_tables_that_cannot_be_used(tmp_path):
    with pytest.raises(InputError, match=r"no column boxes_xyxy; it has file, label"):
        read_boxes(table(tmp_path / "b.csv", head="file,label"))
    with pytest.raises(InputError, match=r"no column file and boxes_xyxy; it has none"):
        read_boxes(table(tmp_path / "b.csv", head=""))
    with pytest.raises(InputError, match="width 'x', height '3'"):
        read_boxes(table(tmp_path / "b.csv", "a,1 2 3 4,x,3", head="file,boxes_xyxy,width,height"))
    (tmp_path / "c.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot be read"):
        read_boxes(tmp_path / "c.csv")
    images = photos(tmp_path / "in", "a.png")
    with pytest.raises(InputError, match="49 x 40 pixels and the photo"):
        masks_for(images, table(tmp_path / "b.csv", "a.png,1 2 3 4,49,40", head="file,boxes_xyxy,width,height"), PLAIN)


# pixels that are not black


@pytest.mark.parametrize("channels", [1, 3])
def test_nonzero_is_read_in_pixel_space(channels):
    grey = torch.tensor([[0, 1, 2], [255, 0, 0]]) / 255
    mean, std = (0.1307, 0.2, 0.45)[:channels], (0.3081, 0.1, 0.2)[:channels]
    unit = torch.stack([grey, grey * 0]).unsqueeze(1).expand(-1, channels, -1, -1)
    pixels = (unit - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]
    found = masks_for(image_set(pixels, ["a", "b"], mean=mean, std=std), "nonzero")
    assert found.masks[0, 0].tolist() == [[False, True, True], [True, False, False]]
    assert (found.kept, found.source) == ((0,), "nonzero")
    assert "not multiplied by the input" in found.notes[0]
    assert "1 of 2 images left out" in found.notes[1]


def test_nonzero_is_refused_without_a_black_background():
    one, colour = (0.0,) * 3, (1.0,) * 3
    with pytest.raises(InputError, match="holds colour images"):
        masks_for(image_set(torch.rand(2, 3, 4, 4), ["a", "b"], mean=one, std=colour), "nonzero")
    with pytest.raises(InputError, match="cover 100% of the images"):
        masks_for(image_set(torch.rand(2, 1, 4, 4) + 0.1, ["a", "b"], mean=(0.0,), std=(1.0,)), "nonzero")
    with pytest.raises(InputError, match="black is unknown"):
        masks_for(image_set(torch.rand(2, 1, 4, 4), ["a", "b"]), "nonzero")
    with pytest.raises(InputError, match="holds no photo files"):
        masks_for(image_set(torch.rand(2, 1, 4, 4), ["a", "b"]))


# built-in scenes


def test_digits_are_images_with_masks():
    pytest.importorskip("sklearn")
    preprocess = Preprocess(40, mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4))
    images, made = read_images("digits", preprocess, limit=12, seed=5), digit_scenes("test", 12, 5, 40)
    unit = images.pixels * torch.tensor([0.2, 0.3, 0.4])[:, None, None] + torch.tensor([0.5, 0.4, 0.3])[:, None, None]
    torch.testing.assert_close(unit, made.pixels, rtol=0, atol=1e-6)
    found = masks_for(images)
    assert torch.equal(found.masks, made.masks)
    assert (found.source, found.kept, found.notes) == ("digits", tuple(range(12)), ())
    assert images.targets is not None
    assert torch.equal(images.targets, made.targets)
    assert [int(label or -1) for label in images.labels] == made.targets.tolist()
    assert (images.classes, images.source) == (tuple("0123456789"), "digits:test")
    assert torch.equal(masks_for(images.take([7, 3])).masks, made.masks[[7, 3]])
    assert has_masks(images)


def test_digits_by_split_limit_and_channels(tmp_path, monkeypatch):
    pytest.importorskip("sklearn")
    assert len(read_images("digits")) == 200
    train = read_images("digits:train", limit=3)
    assert torch.equal(train.pixels, digit_scenes("train", 3, 0).pixels)
    assert torch.equal(train.pixels, read_images("digits", split="train", limit=3).pixels)
    assert torch.equal(train.pixels, labelled("digits:train", limit=3).pixels)
    grey = read_images("digits:train", Preprocess(channels=1), limit=3)
    torch.testing.assert_close(grey.pixels[:, 0], (train.pixels * LUMA[:, None, None]).sum(1))
    assert has_splits(Path("digits"))
    assert not has_splits(Path("digits:train"))
    with pytest.raises(InputError, match="split='test'"):
        read_images("digits:train", split="test")
    for wrong in (Preprocess(224), Preprocess((40, 48)), Preprocess(function=own_transform)):
        with pytest.raises(InputError, match="32 to 64"):
            read_images("digits", wrong, limit=2)
    with pytest.raises(InputError, match="no folder or file digit;"):
        read_images("digit")
    monkeypatch.chdir(tmp_path)
    photos(tmp_path / "digits", "a.png")
    assert len(read_images("digits")) == 1  # a folder of that name comes first


# grids


def coloured(classes: list[int], size: tuple[int, int] = (8, 8)) -> tuple[ImageSet, Tensor]:
    """Photo i is flat and of value i, so that a cell tells its photo."""
    values = torch.arange(len(classes)).float()[:, None, None, None].expand(-1, 1, *size)
    labels = [f"class {c}" for c in classes]
    found = image_set(values, [str(i) for i in range(len(classes))], labels, mean=(0.5,), std=(2.0,), source="s")
    return found, torch.tensor(classes)


def cells(grid: Tensor) -> list[int]:
    half_y, half_x = grid.shape[1] // 2, grid.shape[2] // 2
    quarters = [
        grid[0, y, x] for y in (slice(0, half_y), slice(half_y, None)) for x in (slice(0, half_x), slice(half_x, None))
    ]
    assert all(bool((q == q.flatten()[0]).all()) for q in quarters)
    return [int(q.flatten()[0]) for q in quarters]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("classes", "count", "spread"),
    [([0, 1, 2, 3], 5, 0), ([0, 1, 2, 3, 4] * 3, 9, 1), ([0] * 9 + [1, 2, 3], 4, 4), (list(range(9)) * 2, 7, 1)],
)
def test_grids_show_four_classes_and_every_photo_as_often(classes, count, spread, seed):
    photos, given = coloured(classes, (7, 10))
    made, masks, targets = grids(photos, given, count, seed)
    assert made.pixels.shape == (count, 1, 7, 10)
    uses = Counter(dict.fromkeys(range(len(classes)), 0))
    for grid, mask, target, label in zip(made.pixels, masks.masks, targets.tolist(), made.labels, strict=True):
        shown = cells(grid)
        assert len({classes[i] for i in shown}) == 4
        uses.update(shown)
        held = grid[:1][mask]
        assert (held == held[0]).all()  # the mask is the cell of the target: one photo, of its class, all of it
        assert classes[int(held[0])] == target
        assert label == f"class {target}"
        assert len(held) == (grid == held[0]).sum()
    if len(set(Counter(classes).values())) == 1:
        assert max(uses.values()) - min(uses.values()) <= 1
    assert max(uses.values()) - min(uses.values()) <= spread
    assert (masks.source, masks.kept) == ("grid", tuple(range(count)))
    assert (made.mean, made.std) == (photos.mean, photos.std)


def test_cells_are_means_over_areas():
    photos = image_set(torch.randn(4, 3, 6, 8), list("abcd"))
    made, masks, targets = grids(photos, torch.arange(4), 3, 1)
    small = photos.pixels.reshape(4, 3, 3, 2, 4, 2).double().mean((3, 5))
    for grid, mask, target in zip(made.pixels, masks.masks, targets.tolist(), strict=True):
        cell = grid[mask.expand(3, -1, -1)].reshape(3, 3, 4)
        torch.testing.assert_close(cell.double(), small[target], rtol=0, atol=1e-6)


def test_grids_follow_their_seed_and_vary():
    photos, given = coloured(list(range(8)) * 2)
    first, again, other = (grids(photos, given, 40, seed) for seed in (3, 3, 4))
    assert torch.equal(first[0].pixels, again[0].pixels)
    assert torch.equal(first[1].masks, again[1].masks)
    assert not torch.equal(first[0].pixels, other[0].pixels)
    corners = first[1].masks[:, 0, [0, 0, -1, -1], [0, -1, 0, -1]].sum(0)
    assert corners.min() >= 4  # 10 expected in each cell
    assert first[2].bincount(minlength=8).min() >= 1
    pairs = {frozenset((a, b)) for g in first[0].pixels for a in cells(g) for b in cells(g) if a % 8 != b % 8}
    assert len(pairs) > 70  # of 112: photos meet in no fixed order


def test_grids_refuse_what_they_cannot_show():
    photos, given = coloured([0, 1, 2, 2])
    with pytest.raises(InputError, match="4 photos are of 3; read photos of more"):
        grids(photos, given, 2)
    photos, given = coloured([0, 1, 2, 3])
    for wrong in (given.int(), given[:3]):
        with pytest.raises(InputError, match="classes are"):
            grids(photos, wrong, 2)
    with pytest.raises(InputError, match="count=0"):
        grids(photos, given, 0)


def test_masks_of_an_image_set_are_checked():
    with pytest.raises(InputError, match="masks of a tensor are"):
        image_set(torch.zeros(2, 3, 4, 4), ["a", "b"], masks=torch.ones(2, 3, 4, 4, dtype=torch.bool))
    with pytest.raises(InputError, match="'files': 0"):
        image_set(torch.zeros(2, 3, 4, 4), ["a", "b"], files=[])
