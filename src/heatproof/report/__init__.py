"""From the results of a run to what people read: one self-contained HTML file, and the figures as files."""

from .bench import render_bench as render_bench
from .bench_export import bench_figures as bench_figures
from .bench_export import retrain_figures as retrain_figures
from .bench_tables import bench_tables as bench_tables
from .export import figures as figures
from .render import render as render
from .retrain import render_retrain as render_retrain
