"""Chains, by topic: each is tried with pandas and with its lazy stand-in."""

from __future__ import annotations

ITEMS = """
df["i"]
df.i
df[["k", "f"]]
df[["k"]]
df[df.i > 4]
df[(df.i > 4) & (df.f < 2)]
df[~df.b]
df[df["k"] == "a"]
df[df.k.isin(["a", "c"])]
df[df.f.isna() | (df.g == 3)]
df[lambda d: d.i > 4]
df[2:5]
df[::3]
df[df.i > df.i.mean()]
df[df.i > df.i.mean()].f
df[df.columns[2:4]]
df[[c for c in df.columns if c != "t"]]
df.loc[3]
df.loc[3, "i"]
df.loc[2:4]
df.loc[2:4, "i"]
df.loc[2:4, ["i", "f"]]
df.loc[df.i > 3, "f"]
df.loc[df.i > 3, "i":"b"]
df.loc[:, "f"]
df.loc[:, ["f", "g"]]
df.loc[lambda d: d.g == 1]
df.loc[lambda d: d.g == 1, "f"]
df.loc[[1, 5, 3]]
df.loc[df.index[2:5], "k"]
df.iloc[0]
df.iloc[-1, 2]
df.iloc[1:4, 1:3]
df.iloc[[0, 3]]
df.iloc[:, 2]
df.iloc[:, [0, 2]]
df.iloc[-4:]
df.iloc[::2, -1]
df.at[4, "i"]
df.iat[2, 2]
df.get("i")
df.get("nope", 5)
df.head()
df.head(3)
df.head(-3)
df.tail(2)
df.tail(-9)
s["a"]
s[["a", "c"]]
s["b":"d"]
s[s > 2]
s.loc["c"]
s.loc[["e", "a"]]
s.iloc[2]
s.iloc[1:3]
s.at["a"]
s.iat[1]
s.get("zz")
s.get("a")
s.a
mi.loc["a"]
mi.loc[("a", 2)]
mi.loc[("a", 2), "x"]
mi.loc[(slice(None), 2), :]
mi.xs(2, level="two")
n.loc["p":"r", "x"]
n.loc["q"]
n.take([0, 2])
df.query("i > 3 and g < 3")
df.query("k == 'a'")
df.eval("z = i + g")
df.eval("i * 2")
df.filter(like="f")
df.filter(items=["i", "f"])
df.filter(regex="^[gi]$")
df.select_dtypes("number")
df.select_dtypes(include=["float"])
df.truncate(2, 5)
df.sample(3, random_state=1)
df.sample(frac=0.5, random_state=1)
df.where(df.i > 3)
df[["i", "f"]].where(df[["i", "f"]] > 1, 0)
df.f.where(lambda x: x > 1, -1)
df.i.mask(df.i > 5, df.g)
df.squeeze()
df[["i"]].squeeze()
df.pop("i")
df.nlargest(3, "i")
df.nsmallest(2, ["g", "i"])
df.i.nlargest(2)
days.between_time("0:00", "12:00")
days.at_time("0:00")
df[[True, False] * 6]
df[df.b.to_numpy()]
df.loc[(df.i > 2).tolist()]

df.select("i", z=lambda d: d.f * 2)
df.loc[pd.col("i") > 3]
df.assign(z=pd.col("i") + pd.col("g") * 2)
df.assign(z=pd.col("k").str.upper())
"""

VALUES = """
df.i + 1
1 + df.i
df.i - df.g
df.i * 2.5
10 - df.i
df.f / df.i
df.i // df.g
df.i % 3
df.i ** 2
2 ** df.g
-df.i
+df.f
~df.b
abs(df.f)
round(df.f, 1)
df.i == 3
df.i != df.g
df.f <= 1
df.b & (df.i > 3)
df.b | False
df.b ^ df.b
divmod(df.i, 3)
df.i.divmod(4)
s + o
s - o
s.add(o, fill_value=0)
s > 2
n + 1
n * n
n + n.x
n.add(n.x, axis=0)
n.sub(n.mean())
n - n.mean()
n / n.sum()
n.div(n.sum(axis=1), axis=0)
n.radd(1)
n > 2
n == n
n @ n.T
n.dot(n.T)
n.x.dot(n.x)
n.x @ n.x
np.sqrt(df.i)
np.log1p(n)
np.maximum(df.i, df.g)
np.add(df.i, 1)
np.subtract(1, df.i)
np.where(df.i > 3, 1, 0)
np.abs(df.f)
np.array([1, 2, 3, 4]) + n.x
np.float64(2) * n.x
df.i.add(1).mul(2).sub(3)
df.i.abs()
df.f.fillna(0)
df.f.ffill()
df.f.bfill(limit=1)
df.f.interpolate()
df.fillna({"f": 0, "k": "?"})
df.dropna()
df.dropna(subset=["f"])
df.dropna(subset="f", how="any")
df.dropna(axis=1)
df.f.dropna()
df.isna()
df.isnull().sum()
df.notna().all()
df.f.isna()
df.astype({"i": "float64"})
df.i.astype(str)
df.i.astype("Int64") + 1
df.k.astype("category")
df.convert_dtypes()
df.infer_objects()
df.replace({"k": {"a": "A"}})
df.k.replace("a", "z")
df.k.map({"a": 1, "b": 2})
df.i.map(lambda x: x * 2)
df.i.map(lambda x: None if x == 0 else x)
df.i.map(s.reset_index(drop=True))
df.i.apply(lambda x: x + 0.5)
df.i.apply(lambda x: pd.Series({"a": x, "b": -x}))
df.i.clip(2, 8)
df.i.between(2, 5)
df.i.shift()
df.i.shift(2, fill_value=0)
df.i.diff()
df.i.pct_change()
df.i.cumsum()
df.f.cummax()
df.f.cumprod()
df.i.rank()
df.f.rank(method="dense", pct=True)
df.i.isin([1, 2])
df.k.value_counts()
df.k.value_counts(dropna=False, normalize=True)
df.value_counts(["g", "b"])
df.g.unique()
df.k.nunique()
df.nunique()
df.g.mode()
df.drop_duplicates("g")
df.drop_duplicates(["g", "b"], keep="last")
df.duplicated("k")
df.g.duplicated(keep=False)
df.g.drop_duplicates()
df.i.argsort()
df.k.factorize()
df.explode("i")
pd.Series([[1, 2], [], [3]]).explode()
df.i.repeat(2)
df.i.searchsorted(4)
df.f.round()
n.round(0)
n.apply(np.sum)
n.apply(lambda c: c.max() - c.min())
n.apply(lambda r: r.x + 1, axis=1)
n.apply(lambda r: pd.Series([r.x, 2], index=["p", "q"]), axis=1)
n.map(lambda v: v * 2)
n.transform(lambda c: c - c.mean())
n.transform(["sqrt", "exp"])
n.agg("sum")
n.agg(["sum", "mean"])
n.agg({"x": "sum", "y": ["min", "max"]})
n.agg({"x": "sum", "y": "max"})
n.agg(lo=("x", "min"), hi=("y", "max"))
n.aggregate("max")
n.x.agg(["min", "max"])
n.x.agg("sum")
n.pipe(lambda d: d.x + d.y)
n.pipe((lambda a, d: d.x * a, "d"), 3)
s.case_when([(s > 2, 0), (s == 1, 9)])
s.combine(s, max)
s.combine_first(o)
n.combine_first(n + 1)
s.compare(s + (s == 1))
n.compare(n.assign(x=0))

n.mask(n > 2)
n.equals(n)
n.x.equals(n.y)
s.align(o)
n.align(n.iloc[1:], join="inner")
"""

SHAPES = """
df.sort_values("i")
df.sort_values(["g", "i"], ascending=[True, False])
df.sort_values("f", na_position="first")
df.sort_values("k", kind="stable", ignore_index=True)
df.sort_values("k", key=lambda c: c.str.upper())
df.i.sort_values()
df.i.sort_values(ascending=False)
s.sort_index(ascending=False)
df.sort_index(axis=1)
df.set_index("k")
df.set_index(["k", "g"])
df.set_index("k", drop=False, append=True)
df.set_index("k").reset_index()
df.set_index("k").sort_index()
df.reset_index()
df.reset_index(drop=True)
df[df.i > 3].reset_index(drop=True)
df.i.reset_index()
df.i.reset_index(name="q")
df.i.reset_index(drop=True)
df.rename(columns={"i": "j"})
df.rename({"i": "j"}, axis=1)
df.rename(str.upper, axis="columns")
df.rename(index={0: 100})
df.i.rename("j")
s.rename({"a": "z"})
s.rename_axis("lab")
df.rename_axis("row").reset_index()
df.add_prefix("p_")
df.add_suffix("_s")
df.drop(columns=["i", "f"])
df.drop("i", axis=1)
df.drop([0, 1])
df.drop(index=3, columns="t")
df.drop(columns="nope", errors="ignore")
s.drop("a")
df.assign(z=1)
df.assign(z=df.i + 1, y=lambda d: d.z * 2)
df.assign(z=lambda d: np.where(d.i > 3, "x", "y"))
df.assign(z=[1] * 12)
df.assign(z=lambda d: 5)
df.assign(z=lambda d: d.apply(lambda r: r.i + r.g, axis=1))
df.reindex([0, 5, 20])
df.reindex(columns=["i", "zz"])
s.reindex(list("aez"), fill_value=0)
s.reindex_like(o)
n.T
n.transpose()
s.T
n.stack()
n.unstack()
mi.unstack()
mi.unstack("one")
mi.x.unstack()
mi.stack()
mi.swaplevel()
mi.reorder_levels(["two", "one"])
mi.droplevel("one")
mi.reset_index()
mi.reset_index("two")
mi.index.get_level_values("two")
mi.groupby(level=0).sum()
mi.sort_index(level="two")
df.melt(id_vars="k", value_vars=["i", "f"])
df.melt(id_vars=["k", "g"], value_vars=["i"], var_name="v", value_name="w")
pd.melt(n)
df.pivot_table(values="i", index="k", columns="g")
df.pivot_table(values="i", index="k", columns="g", aggfunc="sum", fill_value=0, margins=True)
df.pivot_table(index="g", values=["i", "f"], aggfunc={"i": "sum", "f": ["mean", "max"]})
df.head(4).pivot(index="i", columns="g", values="f")
pd.pivot_table(df, values="f", index="g")
pd.crosstab(df.k, df.g)
pd.crosstab(df.k, df.g, normalize=True, margins=True)
pd.get_dummies(df.k)
pd.get_dummies(df[["k", "i"]], columns=["k"], drop_first=True)
pd.from_dummies(pd.get_dummies(df.g.astype(str)))
pd.wide_to_long(pd.DataFrame({"a1": [1], "a2": [2], "id": [7]}), "a", i="id", j="n")
pd.lreshape(pd.DataFrame({"a1": [1], "a2": [2]}), {"a": ["a1", "a2"]})
df.T
df.transpose().loc["i"]
df.merge(right, on="k")
df.merge(right, on="k", how="left")
df.merge(right, how="outer", on="k", indicator=True)
df.merge(right, left_on="i", right_on="v", how="right")
df.merge(right, on=["k", "i"], suffixes=("_l", "_r"))
df.merge(right, on="k", suffixes=("", "_r"))[["k", "i", "i_r"]]
df.merge(right.rename(columns={"v": "f"}), on="k").f_x
df.merge(right.set_index("k"), left_on="k", right_index=True)
df.merge(n, how="cross").shape
pd.merge(df, right, on="k")
pd.merge(left=df, right=right, on="k", how="left")
df.set_index("k").join(right.set_index("k"), rsuffix="_r", how="inner")
df.join(n.reset_index(drop=True))
n.join([n.add_suffix("2"), n.add_suffix("3")])
pd.merge_asof(df.sort_values("i"), right.sort_values("i"), on="i")
pd.merge_ordered(right, right, on="v")
pd.concat([df, df])
pd.concat([df, right], ignore_index=True)
pd.concat([n, n.add_suffix("_2")], axis=1)
pd.concat({"a": n, "b": n})
pd.concat([s, o])
pd.concat([s, o], axis=1)
pd.concat([s, o], axis=1, keys=["p", "q"])
pd.concat([n, None, n.iloc[:0]])
pd.concat([df.i, df], axis=1)
pd.concat(part for part in [n, n])
pd.concat([n, n])["x"]
n.to_dict()
n.to_dict("records")
n.to_numpy()
n.values
n.x.to_frame().to_records()
n.x.to_frame("xx")
n.x.tolist()
n.x.to_list()
n.x.to_dict()
n.to_string()
n.to_csv()
n.to_json()
n.to_html()
n.x.to_csv()
len(df)
df.shape
df.size
df.ndim
df.empty
n.x.shape
list(df)
list(df.columns)
df.columns
df.dtypes
df.i.dtype
df.axes
df.index
df.i.name
n.index
"k" in df
"zz" in df
"p" in n.x
[c for c in df]
list(n.x)
sum(n.x)
max(n.x)
[row.x for row in n.itertuples()]
[(k, r.x) for k, r in n.iterrows()]
[(c, v.sum()) for c, v in n.items()]
list(n.x.items())
sorted(df.k.dropna().unique())
n.x.is_unique
n.x.is_monotonic_increasing
n.x.hasnans
n.x.array
n.x.first_valid_index()
n.keys()
n.x.keys()
n.x.iloc[:1].item()
n.memory_usage(index=False)
df.describe()
df.describe(include="all")
n.corr()
n.cov()
n.x.corr(n.y)
n.corrwith(n.x)
n.x.autocorr()
n.set_axis(list("wxyz"))
n.set_axis(["x1", "y1"], axis=1)
n.x.set_axis([1, 2, 3, 4])
days.asof("2024-03-01")
n.x.attrs
n.flags.allows_duplicate_labels
n.x.transpose()
n.copy()
n.x.copy(deep=False)
n.set_flags(allows_duplicate_labels=False)
"""

REDUCTIONS = """
df.i.sum()
df.i.mean()
df.f.mean()
df.f.sum(skipna=False)
df.f.sum(min_count=20)
df.i.min()
df.i.max()
df.i.std()
df.i.var(ddof=0)
df.f.median()
df.f.quantile(0.25)
df.f.quantile([0.25, 0.75])
df.f.skew()
df.f.kurt()
df.f.kurtosis()
df.i.prod()
df.i.product()
df.f.count()
df.f.sem()
df.b.any()
df.b.all()
df.i.idxmax()
df.i.idxmin()
df.i.argmax()
n.sum()
n.sum(axis=1)
n.sum(axis="columns")
n.mean(axis=None)
n.max()
n.min(axis=1)
n.count()
n.std()
n.median()
n.quantile(0.5)
n.quantile([0.1, 0.9])
n.any()
n.all(axis=None)
n.idxmax()
n.sum(numeric_only=True)
df.mean(numeric_only=True)
df.mode()
float(df.i.sum())
int(df.i.max())
bool(df.b.any())
f"{df.i.mean():.3f}"
str(df.i.sum())
df.i.sum() + 1
1 - df.i.mean()
df.i.sum() / df.f.sum()
df.i.max() > df.g.max()
df.i.max() == 11
-df.i.sum()
abs(df.f.min())
round(df.f.mean(), 2)
df.i / df.i.sum()
(df.i - df.i.mean()) / df.i.std()
df.t.max() - df.t.min()
df.t.max().year
df.t.max().strftime("%Y-%m")
df.i.sum().item()
np.sqrt(df.i.sum())
[1, 2, 3][df.g.min()]
{df.i.sum(): 1}
df.i.max() if df.i.max() > 3 else 0
df.i.sum() in [66, 67]
range(df.g.max())
divmod(df.i.sum(), 7)
n.x.agg(["sum"]).loc["sum"] + 1
df.f.fillna(df.f.mean())
df.i.clip(upper=df.i.quantile(0.9))
df.query("i > i.mean()")
df.sort_values("i").i.iloc[0] + 5
"""

GROUPS = """
df.groupby("k").sum(numeric_only=True)
df.groupby("k").i.sum()
df.groupby("k")["i"].mean()
df.groupby("k")[["i", "f"]].mean()
df.groupby(["k", "g"]).i.sum()
df.groupby("k", sort=False).i.max()
df.groupby("k", as_index=False).i.sum()
df.groupby("k", as_index=False).agg({"i": "sum"})
df.groupby("k", dropna=False).size()
df.groupby("k").size()
df.groupby("k", as_index=False).size()
df.groupby("k").count()
df.groupby("k").agg({"i": "sum", "f": "mean"})
df.groupby("k").agg({"i": ["sum", "max"]})
df.groupby("k")[["i"]].agg(["min", "max"])["i"]["max"]
df.groupby("k").agg(n=("i", "size"), m=("f", "mean"))
df.groupby("k").agg(n=pd.NamedAgg("i", "size"))
df.groupby("k").agg(spread=("i", lambda v: v.max() - v.min()))
df.groupby("k").i.agg("sum")
df.groupby("k").i.agg(["sum", "mean"])
df.groupby("k").i.agg(lo="min", hi="max")
df.groupby("k").i.agg(lambda v: v.sum())
df.groupby("k").i.agg(np.mean)
df.groupby("k").i.transform("mean")
df.i - df.groupby("k").i.transform("mean")
df.groupby("k").i.transform(lambda v: v - v.mean())
df.groupby("k").i.apply(lambda v: v.nlargest(2))
df.groupby("k").apply(lambda d: d.i.sum() / len(d))
df.groupby("k").apply(lambda d: pd.Series({"n": len(d), "s": d.i.sum()}))
df.groupby("k")[["i", "f"]].apply(lambda d: d.head(1))
df.groupby("k").filter(lambda d: len(d) > 3)
df.groupby("k").head(2)
df.groupby("k").tail(1)
df.groupby("k").nth(1)
df.groupby("k").nth[0:2]
df.groupby("k").first()
df.groupby("k").last()
df.groupby("k").i.nunique()
df.groupby("k").i.cumsum()
df.groupby("k").cumcount()
df.groupby("k").ngroup()
df.groupby("k").i.rank()
df.groupby("k").i.shift()
df.groupby("k").i.diff()
df.groupby("k").f.ffill()
df.groupby("k").i.quantile(0.5)
df.groupby("k").i.describe()
df.groupby("k").i.std()
df.groupby("k").i.value_counts()
df.groupby("k").i.idxmax()
df.groupby("k").i.nlargest(1)
df.groupby("k").i.unique()
df.groupby("g").k.apply(list)
df.groupby("k").ngroups
df.groupby("k").groups
df.groupby("k").get_group("a")
[(name, len(part)) for name, part in df.groupby("k")]
len(df.groupby("k"))
df.groupby(df.i > 4).f.sum()
df.groupby(df.k.str.upper()).i.sum()
df.groupby([df.g, "k"]).i.sum()
df.groupby(lambda i: i % 2).i.sum()
df.groupby(df.t.dt.day).i.sum()
df.groupby(pd.Grouper(key="t", freq="D")).i.sum()
df.groupby(["k", pd.Grouper(key="t", freq="D")]).i.sum()
df.groupby("k").i.sum().sort_values(ascending=False).head(2)
df.groupby("k").i.sum().reset_index()
df.groupby("k").agg(a=("i", "sum")).reset_index().query("a > 10")
df.groupby("k").i.pipe(lambda g: g.max() - g.min())
df.groupby("k").rolling(2).i.sum()
df.groupby("k").i.rolling(2, min_periods=1).mean()
df.groupby("k").i.expanding().sum()
df.groupby("k").i.ewm(alpha=0.5).mean()
df.set_index("t").groupby("k").resample("D").i.sum()
df.groupby("k").sample(1, random_state=0)
df.groupby("k")[["i", "f"]].corr()
cat.groupby(cat).size()
cat.groupby(cat, observed=False).count()
s.groupby(level=0).sum()
mi.groupby("one").y.mean()
mi.groupby(level=["one", "two"]).sum()
mi.groupby("one").x.transform("sum")
df.groupby("k").i.sum().loc["a"]
df.groupby("k").t.max().loc["a"].isoformat()
df.groupby("k").t.max().loc["a"].day
df.groupby("k").k.max().loc["a"].upper()
df.pivot_table(index="g", values="i").i
df.pivot_table(index="g", values="i").i.sum()
df.groupby("k").f.mean().to_dict()
df.groupby("g").i.agg(pd.Series.max)
df.groupby("k").any()
df.groupby("k", group_keys=False)[["i"]].apply(lambda d: d / d.sum())
"""

WINDOWS = """
days.rolling(3).mean()
days.rolling("3D").sum()
days.rolling(3, center=True, min_periods=1).max()
days.rolling(3).agg(["sum", "mean"])
days.rolling(3).apply(lambda v: v[0] - v[-1], raw=True)
days.rolling(3).quantile(0.5)
days.rolling(4).std()
days.rolling(3).corr(days * 2)
days.expanding().sum()
days.expanding(2).mean()
days.ewm(span=3).mean()
days.ewm(halflife=2).std()
days.resample("2D").sum()
days.resample("W").mean()
days.resample("ME").agg(["min", "max"])
days.resample("12h").ffill()
days.resample("2D").ohlc()
days.resample("2D").apply(lambda v: v.max() - v.min())
days.resample("2D").size()
days.asfreq("2D")
days.shift(1, freq="D")
days.tz_localize("UTC").tz_convert("Europe/Berlin")
days.to_period("M")
days.index.year
days.index.dayofweek + 1
days.index.strftime("%d.%m.")
days["2024-03"]
days.loc["2024-03-01":]
n.rolling(2).sum()
n.rolling(2).x.sum()
n.rolling(2)[["x"]].sum()
n.expanding().max()
df.rolling("1D", on="t").i.sum()
df.resample("D", on="t").i.sum()
df.set_index("t").resample("D")[["i", "f"]].mean()
df.set_index("t").resample("D").agg({"i": "sum", "f": "mean"})
df.set_index("t").resample("D").i.mean()
df.set_index("t")[["i", "f"]].resample("D").mean()
df.set_index("t").resample("D")[["i"]].size()
df.set_index("t").resample("D").count()
df.groupby("k").agg(n=("i", len), m=("f", lambda v: v.max())).reset_index()
df.set_index("t").resample("D").i.agg(lo="min")
df.set_index("t").i.resample("D").count()
n.rolling(2).cov()
"""

ACCESSORS = """
words.str.upper()
words.str.len()
words.str.strip().str.title()
words.str.contains("a", na=False)
words[words.str.contains("an", na=False)]
words.str.split()
words.str.split(" ", expand=True)
words.str[0]
words.str[1:3]
words.str.get(0)
words.str.replace("a", "A")
words.str.replace(r"\\d", "#", regex=True)
words.str.extract(r"([a-z])(\\d)")
words.str.extract(r"([a-z])(\\d)", expand=True)[1]
words.str.extract(r"(\\d)", expand=False)
words.str.extractall(r"(\\d)")
words.str.findall("a")
words.str.cat(sep="-")
words.str.cat(words, sep="|")
words.str.get_dummies(" ")
words.str.partition("-")
words.str.startswith("b")
words.str.zfill(10)
words.str.lower().value_counts()
words.str.isdigit()
words.str.slice(0, 2)
df.t.dt.year
df.t.dt.day_name()
df.t.dt.date
df.t.dt.floor("D")
df.t.dt.strftime("%Y/%m")
df.t.dt.isocalendar()
df.t.dt.isocalendar().week
df.t.dt.tz
df.t.dt.weekday
df.t.dt.to_period("M")
df.t.dt.tz_localize("UTC").dt.hour
(df.t - df.t.min()).dt.total_seconds()
(df.t - df.t.min()).dt.components
df[df.t.dt.hour > 12]
df.t.dt.normalize().value_counts()
cat.cat.codes
cat.cat.categories
cat.cat.ordered
cat.cat.rename_categories({"lo": "low"})
cat.cat.add_categories(["top"])
cat.cat.remove_unused_categories()
cat.cat.as_unordered()
cat.max()
cat.sort_values()
pd.Series([1.0, 0.0]).astype(pd.SparseDtype("float", 0.0)).sparse.density
pd.Series([1.0, 0.0]).astype(pd.SparseDtype("float", 0.0)).sparse.to_dense()
df.k.index
df.index + 1
df.index == 3
df.index.isin([1, 2])
df[df.index.isin([1, 2])]
df[~df.index.duplicated()]
df.set_index("k").index.unique()
n.index.str.upper()
n.index.map(str.upper)
n.index.tolist()
n.index.to_series()
n.index.to_frame()
n.index[0]
n.index[1:]
n.index.union(s.index)
n.index.intersection(s.index)
n.index.difference(["p"])
len(n.index)
list(n.index)
n.index.get_loc("q")
n.index.name
n.index.is_unique
n.index.rename("lab")
n.index.append(n.index)
n.index.max()
n.index.values
mi.index.names
mi.index.levels[0]
mi.index.nlevels
mi.index.to_flat_index()
mi.index.droplevel(0)
n.index.argsort()
isinstance(days.index, pd.DatetimeIndex)
isinstance(mi.index, pd.MultiIndex)
isinstance(n.index, pd.DatetimeIndex)
isinstance(n, pd.DataFrame)
isinstance(n.x, pd.Series)
isinstance(n.x, pd.DataFrame)
isinstance(mi.loc["a"], pd.DataFrame)
type(n).__name__
"""

FUNCTIONS = """
pd.to_datetime(pd.Series(["2024-01-02", "2024-03-04"]))
pd.to_datetime(pd.DataFrame({"year": [2024], "month": [2], "day": [29]}))
pd.to_datetime("2024-01-02")
pd.to_datetime(["2024-01-02"])
pd.to_numeric(pd.Series(["1", "x"]), errors="coerce")
pd.to_timedelta(pd.Series(["1D", "2h"]))
pd.cut(df.i, 3)
pd.cut(df.i, [0, 5, 12], labels=["lo", "hi"])
pd.cut(df.i, [0, 5, 12], labels=["lo", "hi"]).value_counts()
pd.cut(df.i, 3, retbins=True)[1]
pd.cut([1, 2, 3], 2)
pd.qcut(df.i, 4)
pd.qcut(df.i, 4, labels=False)
df.groupby(pd.cut(df.i, 3), observed=True).f.mean()
pd.isna(df.f)
pd.notnull(df)
pd.isna(None)
pd.isna([1, None])
pd.unique(df.g)
pd.factorize(df.k)
pd.date_range("2024-01-01", periods=3)
list(pd.date_range("2024-01-01", periods=3))
pd.DataFrame({"x": [1]}, index=pd.date_range("2024-01-01", periods=1))
pd.Series(range(3), index=pd.date_range("2024-01-01", periods=3)).resample("2D").sum()
pd.period_range("2024-01", periods=2, freq="M")
pd.interval_range(0, 3)
pd.timedelta_range("1D", periods=2)
pd.MultiIndex.from_tuples([("a", 1)])
pd.MultiIndex.from_frame(n)
pd.Index([1, 2, 3])
pd.RangeIndex(3)
pd.Categorical(["a"])
pd.Categorical(df.k)
pd.array([1, None], dtype="Int64")
pd.array(df.i)
pd.Timestamp("2024-01-01") + pd.Timedelta("1D")
pd.NA is pd.NA
pd.DataFrame()
pd.DataFrame(df)
pd.DataFrame(df, columns=["i", "f"])
pd.DataFrame({"a": df.i, "b": df.f * 2})
pd.DataFrame({"a": df.i.sum(), "b": [1, 2]})
pd.DataFrame([df.i.sum(), df.g.sum()])
pd.DataFrame.from_dict({"a": [1]}, orient="index")
pd.DataFrame.from_records([(1, 2)], columns=["a", "b"])
pd.DataFrame({"a": [1, 2]}).sum()
pd.DataFrame.sum(n)
pd.Series(df.i)
pd.Series(df.i, name="j")
pd.Series({"a": df.i.sum(), "b": 2})
pd.Series(n.x.to_numpy(), index=n.index)
pd.Series.mean(n.x)
pd.Series(["a"]).str.upper()
n.apply(pd.Series.sum)
pd.Series(["1", "2"]).apply(pd.to_numeric)
pd.Series([[1, 2], [3]]).apply(pd.Series)
pd.json_normalize([{"a": {"b": 1}}])
pd.eval("df.i + df.g")
pd.infer_freq(days.index)
pd.api.types.is_numeric_dtype(df.i)
pd.api.types.is_list_like(df)
pd.testing.assert_frame_equal(df, df)
pd.util.hash_pandas_object(n)
pd.bdate_range("2024-01-01", periods=2)
pd.offsets.Day(1)
pd.options.display.max_rows
pd.get_option("display.max_rows")
pd.tseries.offsets.MonthEnd(1)
pd.Series([1, 2], dtype="Int64").sum()
pd.Series(["x", None], dtype="string").str.upper()
pd.IndexSlice[1:2]
mi.loc[pd.IndexSlice[:, 2], :]
pd.Grouper(key="a").key
pd.errors.MergeError.__name__
pd.Interval(0, 1)
pd.show_versions.__name__
pd.DataFrame({"a": [1]}) .equals(pd.DataFrame({"a": [1]}))
pd.concat([pd.Series([1]), pd.Series([2.5])], ignore_index=True)
"""

CHANGES = """
df["z"] = 1; r = df
df["z"] = df.i * 2; r = df
df["i"] = df.i.astype(float); r = df.i
df["z"] = np.arange(12); r = df
df["z"] = [1] * 12; r = df.z
df["z"] = s; r = df
df[["p", "q"]] = 0; r = df
df[["i", "g"]] = df[["g", "i"]]; r = df
df.i = df.i + 1; r = df
df.loc[df.i > 3, "f"] = 0.0; r = df
df.loc[2, "k"] = "new"; r = df
df.loc[df.g == 1, "z"] = 5; r = df
df.loc[99] = ["q", 1, 2, 3.0, True, pd.Timestamp("2024-01-01")]; r = df
df.iloc[0, 2] = 77; r = df
df.iloc[1:3, [1, 2]] = 0; r = df
df.at[3, "i"] = 100; r = df
df.iat[0, 1] = 9; r = df
s["a"] = 100; r = s
s["new"] = 1; r = s
s[s > 2] = 0; r = s
s.loc["b"] = 5; r = s
s.iloc[-1] = 5; r = s
n[n > 2] = 0; r = n
del df["t"]; r = df
del s["a"]; r = s
p = df.pop("i"); r = [p, df]
df.insert(1, "z", df.i * 2); r = df
df.insert(0, "a", 1); r = df.columns
df.update(pd.DataFrame({"i": [100, 200]})); r = df
df.isetitem(2, 0); r = df
q = df.drop(columns="i", inplace=True); r = [q, df]
q = df.sort_values("i", inplace=True); r = [q, df]
q = df.fillna(0, inplace=True); r = [q, df]
q = df.rename(columns={"i": "j"}, inplace=True); r = df
q = df.reset_index(inplace=True); r = df
q = df.set_index("k", inplace=True); r = df
q = df.dropna(inplace=True); r = df
q = df.query("i > 3", inplace=True); r = df
q = df.eval("z = i + 1", inplace=True); r = [q, df]
q = s.replace(3, 33, inplace=True); r = s
df.columns = list("ABCDEF"); r = df
df.columns = [c.upper() for c in df.columns]; r = df.I
df.columns = df.columns.str.upper(); r = df
df.index = df.k; r = df
df.index = range(10, 22); r = df
df.index.name = "row"; r = df.reset_index()
df.columns.name = "cols"; r = df
x = df.columns; x.name = "cols"; r = df.T
s.name = "t"; r = s.to_frame()
s.index = list("vwxyz"); r = s
s.index.name = "i"; r = s
mi.index.names = ["p", "q"]; r = mi
df.attrs["a"] = 1; r = df.attrs
df.attrs = {"x": 2}; r = df.head().attrs
e = df; df["z"] = 1; r = e
e = df.copy(); df["z"] = 1; r = e
e = df[["i"]]; e["i"] = 0; r = [df, e]
e = df.i; e[0] = 99; r = [df, e]
e = df.loc[:2]; e.loc[0, "i"] = 99; r = [df, e]
n += n; r = n
n += 1; r = n
e = n; e *= 2; r = n
s -= 1; r = s
s += 0.5; r = s
x = df.i; x += 1; r = [df.i, x]
n["x"] += 10; r = n
n["z"] = n.x.shift().fillna(0); n["w"] = n.z.cumsum(); r = n[n.w > 0]
n.loc["new"] = [0, 0.0]; r = n
n.loc[:, "z"] = n.x * 2; r = n
n.flags.allows_duplicate_labels = False; r = n.flags.allows_duplicate_labels
out = []
for c in df.columns:
    out.append(df[c].isna().sum())
r = out
parts = []
for name, part in df.groupby("k"):
    parts.append(part.assign(total=part.i.sum()))
r = pd.concat(parts)
for c in ["i", "g"]:
    df[c + "_2"] = df[c] ** 2
r = df
limit = 4; r = df.query("i > @limit and k in ['a']")
limit = df.i.mean(); r = df.query("i > @limit").eval("z = i - @limit")
total = df.i.sum(); df["share"] = df.i / total; r = df
if (df.i > 3).any():
    r = df.i.sum()
e.loc[len(e)] = [1,2,"w"]; r = e
e = e.set_index("c"); e.at["x","b"] += 5; r = e
for i,row in e.iterrows():
    e.loc[i,"d"]=row.b*2
r = e
e[["p","q"]] = e.c.apply(lambda v: pd.Series([v, v*2])); r = e
e["t"]=pd.to_datetime("2024-01-01"); r = e.t.dt.year
s=e.pop("b"); e["b2"]=s; r = e.columns.tolist()
e.columns=["A","B","C"]; e.A += 1; r = e
a,b=e.align(e.iloc[1:], join="left"); r = b
x,y=np.unique(e.c, return_counts=True); r = y
def clean(d):
    d = d.copy()
    d["z"] = d.i.fillna(0)
    return d[d.z > 2]
r = df.pipe(clean).groupby("k").z.sum()
"""

MISCELLANY = """
e[e.columns[e.isna().any()]]
e.drop(e[e.b>3].index)
e.drop(columns=e.columns[e.isna().any()])
e.drop(columns=e.isna().any()[lambda s: s].index)
e.loc[:, e.isna().mean() < 0.1]
e.groupby("c")[e.columns[:2]].sum()
e.apply(lambda c, k: c.astype(str)+k, args=("!",))
e.apply(lambda r, k: r.b*k, axis=1, k=e.b.max())
e.rename(columns=e.set_index("c").b.astype(str))
[(x,y) for x,y in zip(e.a,e.b)]
e.iloc[e.b.argmax()]
e.loc[e.b.idxmax(), "c"]
e.loc[e.b.idxmin():e.b.idxmax()]
e.iloc[:e.b.min()]
pd.Series({"x":1}).to_frame().T
e.set_index("c").loc["x":"y"].to_dict("index")
e.a.map(e.set_index("a").c)
e.a.where(e.a.notna(), e.b).astype(int).tolist()
e.agg(["sum"]).T
np.select([e.b>3],[1],0)
e.b.to_numpy()[e.b.argmax()]
e[["a","b"]].apply(np.sqrt)
e.b.apply(str)
e.c.str.cat([e.c, e.b.astype(str)])
e.T.loc["b"].sum()
e.a.combine(e.b, lambda x,y: x if x>y else y)
pd.concat([e, pd.DataFrame([{"a":9}])], ignore_index=True)
pd.concat([e.assign(s=i) for i in range(2)]).groupby("s").b.sum()
e.sample(2, random_state=np.random.RandomState(1))
e.sample(2, random_state=np.random.default_rng(1))
e.pipe(pd.DataFrame.dropna)
list(map(len, e.c))
e.to_dict(orient="records")
pd.DataFrame(e.to_dict(orient="records")).equals(e)
e.groupby("c").agg({"a": lambda s: s.sum(), "b": "max"})
(e.b.rolling(2).mean() - e.b).dropna().abs().max()
e.c.astype("category").cat.codes.add(1)
e.c.isin(e[e.b>3].c)
e.b.isin([e.b.max()])
e.b.fillna(e.groupby("c").b.transform("mean"))
e.b.quantile([.1,.5]).loc[.5]
e.nunique()[e.nunique()>2].index.tolist()
e.corr(numeric_only=True).unstack().sort_values().drop_duplicates()
e.stack().reset_index()
e.explode("c").reset_index(drop=True).index[-1]
e.columns.get_loc("b")
e.b.rank().astype(int)[0]
{c: e[c].dtype.kind for c in e}
e.memory_usage(deep=True).sum()>0
e["b"].dtype == "int64"
e.dtypes["b"]
e.filter(regex="a|b").max(axis=1)
e.isna().sum().sum()
e[e.isna().any(axis=1)]
e.loc[e.c.str.len().sort_values().index]
e.reindex(e.b.sort_values(ascending=False).index)
e.b.value_counts().to_frame("n").query("n>0")
e.merge(e.groupby("c", as_index=False).b.sum(), on="c", suffixes=("","_s")).b_s
e.b.apply(lambda x: [x]*2).explode()
e.b.cumsum().iloc[-1] == e.b.sum()
np.isclose(e.b.cumsum().iloc[-1], e.b.sum())
round(e.b.mean())
e.b.mean().round(1)
e.b.max()-e.b.min() > 1 and "y" or "n"
e.b.sum() if len(e) else 0
"{:.1f}".format(e.b.mean())
"%d" % e.b.sum()
",".join(e.c)
e.c.sum()
e.b @ e.b
pd.Index(e.c)[0]
"""

ERRORS = """
df["nope"]
df[["i", "nope"]]
df.nope
df.sort_values("nope")
df.groupby("nope")
df.groupby("nope").sum()
df.groupby("k").agg(a=("nope", "sum"))
df.groupby("k")["nope"]
df.drop(columns="nope")
df.drop(columns=["i", "nope"])
df.merge(right, on="nope")
df.merge(right, left_on="nope", right_on="k")
df.merge(right, left_on="k", right_on="nope")
df.set_index("nope")
df.drop_duplicates("nope")
df.dropna(subset=["nope"])
df.explode("nope")
df.astype({"nope": int})
df.loc[:, "nope"]
df.loc[:, ["nope"]]
df.loc[99]
df.iloc[99]
df.nlargest(2, "nope")
df.melt(id_vars="nope")
df.pivot(index="nope", columns="g")
df.rename(columns={"nope": "x"}, errors="raise")
df.pop("nope")
df.sort_values("i", ascendin=False)
df.head(2, 3)
df.sum(axs=1)
df.groupby("k").agg()
df.i.str.upper()
df.i.dt.year
df.k + 1
df.i.astype("nope")
df.query("nope > 3")
df.i.map(lambda x: 1 / 0)
df.groupby("k").apply(lambda d: d.nope)
bool(df)
bool(df.i)
float(df.k.iloc[0])
s["zz"]
s.zz
s.item()
int(df.i)
hash(df)
df.loc["x", "y", "z"]
pd.concat([])
pd.merge(df, 3)
pd.nope
pd.read_csv("nope.csv")
df.assign(z=lambda d: d.nope + 1)
df.iloc["a"]
df.to_csv("nope/nope.csv")
pd.DataFrame({"x": [1, 2]}, index=[0, 0]).reindex([1])
df.insert(0, "i", 1)
df.i.agg("nope")
df.resample("D").sum()
df.rolling("x").sum()
"""

TOPICS = {
    "items": ITEMS,
    "values": VALUES,
    "shapes": SHAPES,
    "reductions": REDUCTIONS,
    "groups": GROUPS,
    "windows": WINDOWS,
    "accessors": ACCESSORS,
    "functions": FUNCTIONS,
    "miscellany": MISCELLANY,
    "errors": ERRORS,
}

#: Chains that ask for something plain on their way, which computes; no other chain runs anything.
_PLAIN = """
e[e.columns[e.isna().any()]]
e.drop(columns=e.columns[e.isna().any()])
[(x,y) for x,y in zip(e.a,e.b)]
e.set_index("c").loc["x":"y"].to_dict("index")
e.a.where(e.a.notna(), e.b).astype(int).tolist()
np.select([e.b>3],[1],0)
e.b.to_numpy()[e.b.argmax()]
list(map(len, e.c))
pd.DataFrame(e.to_dict(orient="records")).equals(e)
e.nunique()[e.nunique()>2].index.tolist()
np.isclose(e.b.cumsum().iloc[-1], e.b.sum())
e.b.max()-e.b.min() > 1 and "y" or "n"
e.b.sum() if len(e) else 0
"{:.1f}".format(e.b.mean())
"%d" % e.b.sum()
",".join(e.c)
e.loc[len(e)] = [1,2,"w"]; r = e
x,y=np.unique(e.c, return_counts=True); r = y
s.get("zz")
s.get("a")
s.a
df[df.b.to_numpy()]
df.loc[(df.i > 2).tolist()]
np.where(df.i > 3, 1, 0)
df.g.unique()
df.k.factorize()
df.i.searchsorted(4)
n.equals(n)
n.x.equals(n.y)
df.merge(n, how="cross").shape
n.x.to_frame().to_records()
n.x.tolist()
n.x.to_list()
n.x.to_dict()
n.x.to_csv()
len(df)
df.shape
df.size
df.empty
n.x.shape
list(df)
"p" in n.x
list(n.x)
sum(n.x)
max(n.x)
list(n.x.items())
sorted(df.k.dropna().unique())
n.x.is_unique
n.x.is_monotonic_increasing
n.x.hasnans
n.x.array
n.x.first_valid_index()
n.x.iloc[:1].item()
n.x.attrs
n.flags.allows_duplicate_labels
float(df.i.sum())
int(df.i.max())
bool(df.b.any())
f"{df.i.mean():.3f}"
str(df.i.sum())
df.t.max().year
df.t.max().strftime("%Y-%m")
df.i.sum().item()
np.sqrt(df.i.sum())
[1, 2, 3][df.g.min()]
{df.i.sum(): 1}
df.i.max() if df.i.max() > 3 else 0
df.i.sum() in [66, 67]
range(df.g.max())
df.groupby("k").f.mean().to_dict()
df.t.dt.tz
cat.cat.ordered
pd.Series([1.0, 0.0]).astype(pd.SparseDtype("float", 0.0)).sparse.density
n.index.tolist()
len(n.index)
list(n.index)
n.index.get_loc("q")
n.index.is_unique
n.index.values
mi.index.levels[0]
isinstance(days.index, pd.DatetimeIndex)
isinstance(mi.index, pd.MultiIndex)
isinstance(n.index, pd.DatetimeIndex)
isinstance(mi.loc["a"], pd.DataFrame)
pd.cut(df.i, 3, retbins=True)[1]
pd.unique(df.g)
pd.factorize(df.k)
list(pd.date_range("2024-01-01", periods=3))
pd.Categorical(df.k)
pd.array(df.i)
pd.Series(n.x.to_numpy(), index=n.index)
pd.infer_freq(days.index)
pd.api.types.is_numeric_dtype(df.i)
pd.DataFrame({"a": [1]}) .equals(pd.DataFrame({"a": [1]}))
df.attrs["a"] = 1; r = df.attrs
df.attrs = {"x": 2}; r = df.head().attrs
n.flags.allows_duplicate_labels = False; r = n.flags.allows_duplicate_labels
"""
EAGER = frozenset(_PLAIN.strip().splitlines()) | {"if (df.i > 3).any():\n    r = df.i.sum()"}


def chains() -> list[tuple[str, str]]:
    """Return topic and source of every chain; lines that are indented or start a block belong together."""
    found = [(topic, line) for topic, text in TOPICS.items() for line in text.split("\n") if line]
    return found + [("changes", one) for one in _statements(CHANGES)]


def _statements(text: str) -> list[str]:
    blocks: list[str] = []
    waiting: list[str] = []
    for line in text.strip().splitlines():
        waiting.append(line)
        if "; r = " in line or line.startswith(("r = ", "    r = ")):
            blocks.append("\n".join(waiting))
            waiting = []
    return blocks
